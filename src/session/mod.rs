mod pool_advice;

pub use self::pool_advice::PoolAdvice;
