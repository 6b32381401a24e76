use futures::FutureExt;

use super::*;

const CAPACITY: f64 = 500.0;

/// A table with as much capacity a second, of which none is saved up.
struct Table {
    units: f64,
    filled: Instant,
}

impl Table {
    fn takes(&mut self) -> bool {
        self.units += self.filled.elapsed().as_secs_f64() * CAPACITY;
        self.filled = Instant::now();
        let takes = self.units >= 1.0;
        self.units -= f64::from(u8::from(takes));
        takes
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_table_gets_what_it_takes_and_hardly_more() {
    let began = Instant::now();
    let pace = Arc::new(Pace::default());
    let table = Arc::new(Mutex::new(Table { units: 0.0, filled: began }));
    let callers = (0..64).map(|_| {
        let (pace, table) = (Arc::clone(&pace), Arc::clone(&table));
        tokio::spawn(async move {
            let (mut acknowledged, mut throttled) = (0, 0);
            while began.elapsed() < Duration::from_secs(20) {
                pace.turn(1.0, began).await;
                let sent = began.elapsed();
                tokio::time::sleep(Duration::from_millis(3)).await;
                if table.lock().unwrap().takes() {
                    acknowledged += 1;
                    pace.acknowledged(sent, || began.elapsed());
                } else {
                    throttled += 1;
                    pace.throttled(sent, began.elapsed());
                }
            }
            (acknowledged, throttled)
        })
    });
    let (mut acknowledged, mut throttled) = (0, 0);
    for caller in callers.collect::<Vec<_>>() {
        let (all, in_vain) = caller.await.unwrap();
        acknowledged += all;
        throttled += in_vain;
    }
    assert!(acknowledged > 9_500, "{acknowledged} of 10000");
    assert!(throttled < acknowledged / 20, "{throttled} for {acknowledged}");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_was_never_throttled_is_free_and_one_that_was_is_free_again_after_a_while() {
    let began = Instant::now();
    let pace = Pace::default();
    assert!(pace.is_free() && pace.turn(1.0, began).now_or_never().is_some());
    for _ in 0..1_000 {
        pace.acknowledged(Duration::ZERO, || Duration::ZERO);
    }
    tokio::time::advance(Duration::from_millis(500)).await;
    pace.throttled(Duration::ZERO, began.elapsed());
    assert!(!pace.is_free());
    tokio::time::advance(Duration::from_secs(4)).await;
    pace.acknowledged(began.elapsed(), || began.elapsed());
    assert!(!pace.is_free());
    tokio::time::advance(Duration::from_secs(2)).await;
    pace.acknowledged(began.elapsed(), || began.elapsed());
    assert!(pace.is_free());
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_for_a_turn_holds_up_nobody() {
    let began = Instant::now();
    let pace = Pace::default();
    pace.throttled(Duration::ZERO, Duration::ZERO);
    let mut first = Box::pin(pace.turn(1.0, began));
    let mut second = Box::pin(pace.turn(1.0, began));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    drop(first);
    second.await;
    assert!(began.elapsed() < Duration::from_millis(150), "one of ten a second: {:?}", began.elapsed());
}

#[test]
fn reading_and_writing_a_table_are_paced_apart_and_each_table_for_itself() {
    let paces = Paces::default();
    let of = |text: &str| {
        let about = About::of_text(text);
        paces.of(&about)
    };
    let read = of("SELECT a FROM ks.t WHERE a = ?");
    let write = of("INSERT INTO ks.t (a) VALUES (?)");
    assert!(Arc::ptr_eq(&read[0], &of("SELECT b FROM ks.t WHERE a = ?")[0]));
    assert!(!Arc::ptr_eq(&read[0], &write[0]));
    assert!(!Arc::ptr_eq(&write[0], &of("INSERT INTO ks.u (a) VALUES (?)")[0]));
    assert!(paces.of(&About::unread("FROB ks.t")).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_limited_table_is_used_for_so_many_units_a_second_and_what_is_owed_is_made_up_for() {
    let began = Instant::now();
    let limit = TableLimit::none().write_units(NonZeroU32::new(100).unwrap());
    let paces = Paces::new(HashMap::from([("ks.t".to_owned(), limit)]));
    let write = Arc::clone(&paces.of(&About::of_text("INSERT INTO ks.t (a) VALUES (?)"))[0]);
    assert!(paces.of(&About::of_text("SELECT a FROM ks.t WHERE a = ?"))[0].is_free());
    // A second's worth is there at once, and more comes as time passes.
    for _ in 0..150 {
        write.turn(2.0, began).await;
    }
    assert_eq!(began.elapsed().as_millis() / 10, 200);
    write.owe(50.0);
    write.turn(1.0, began).await;
    assert_eq!(began.elapsed().as_millis() / 10, 251);
    // One that is more than a second's worth waits for a full second's, and the next for the rest.
    write.turn(300.0, began).await;
    let then = began.elapsed();
    write.turn(1.0, began).await;
    assert_eq!((began.elapsed() - then).as_millis() / 10, 201);
}
