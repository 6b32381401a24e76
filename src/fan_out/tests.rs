use std::time::Duration;

use futures::FutureExt;

use super::*;
use crate::Endpoint;
use testkit::stub::{Ca, Stub};

const NAME: &str = "cassandra.us-east-1.amazonaws.com";
const SIGV4: &str = "com.amazon.helenus.auth.HelenusAuthenticator";

#[tokio::test]
async fn answered_write_releases_its_permit_before_it_is_polled() {
    const WRITES: usize = 10;
    let ca = Ca::new("Test CA");
    let stub = Stub::with_addresses(1).tls(ca.server(&[NAME])).authenticator(SIGV4).start().await;
    let session = Session::builder()
        .endpoint(Endpoint::explicit("127.0.0.1", stub.port(), NAME).unwrap())
        .static_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", None)
        .trust_pem(ca.pem())
        .unwrap()
        .connect()
        .await
        .unwrap();
    let store: Write<()> = session.prepare("INSERT INTO shop.held (a) VALUES (1)").await.unwrap();
    let mut written = store.execute_each(std::iter::repeat_n((), WRITES));
    assert!(written.next().now_or_never().is_none(), "polled once, it begins all of them");
    let permits = async |number| {
        let held = async {
            while session.peer_limiter().in_flight() != number {
                // Only one statement is answered.
                if number == 0 {
                    stub.release();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), held).await.expect("so many permits");
    };
    permits(WRITES).await;
    permits(0).await;
    assert!(written.all(async |(_, result)| result.is_ok()).await);
}
