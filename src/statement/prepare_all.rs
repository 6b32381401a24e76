//! Prepares several statements at once.

use super::Statement;
use crate::{Error, Session};

/// A tuple of `N` statement types, up to 16, which [`Session::prepare_all`] returns; each is a type that
/// [`Session::prepare`] returns.
pub trait Statements<const N: usize>: sealed::StatementTuple<N> {}

impl<S: sealed::StatementTuple<N>, const N: usize> Statements<N> for S {}

mod sealed {
    use super::{Error, Session, Statement};

    pub trait StatementTuple<const N: usize>: Sized {
        fn prepare(session: &Session, texts: [&str; N]) -> impl Future<Output = Result<Self, Error>> + Send;
    }

    macro_rules! tuples {
        ($($number:literal: $($statement:ident $text:ident),+;)+) => {$(
            impl<$($statement: Statement + Send),+> StatementTuple<$number> for ($($statement,)+) {
                async fn prepare(session: &Session, [$($text),+]: [&str; $number]) -> Result<Self, Error> {
                    // Not `try_join`, which would return the error that occurs first, and not that of the first text.
                    let ($($text,)+) = tokio::join!($(session.prepare::<$statement>($text)),+);
                    Ok(($($text?,)+))
                }
            }
        )+};
    }

    tuples! {
        1: A a;
        2: A a, B b;
        3: A a, B b, C c;
        4: A a, B b, C c, D d;
        5: A a, B b, C c, D d, E e;
        6: A a, B b, C c, D d, E e, F f;
        7: A a, B b, C c, D d, E e, F f, G g;
        8: A a, B b, C c, D d, E e, F f, G g, H h;
        9: A a, B b, C c, D d, E e, F f, G g, H h, I i;
        10: A a, B b, C c, D d, E e, F f, G g, H h, I i, J j;
        11: A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k;
        12: A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l;
        13: A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l, M m;
        14: A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l, M m, N n;
        15: A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l, M m, N n, O o;
        16: A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l, M m, N n, O o, P p;
    }
}
