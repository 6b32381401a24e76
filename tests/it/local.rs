//! The local Keyspaces that all tests share, and sessions to it.

use std::ops::Deref;
use std::time::Duration;

use keyspaces::{Endpoint, Session, SessionBuilder};
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

pub(crate) async fn shared() -> &'static Local {
    Local::shared().await.expect("a local Keyspaces starts")
}

/// The endpoint as an application would configure it, with the server name in the certificate.
pub(crate) fn endpoint(local: &Local) -> Endpoint {
    Endpoint::explicit(local.host(), local.port(), local.server_name()).expect("an endpoint")
}

/// A builder that only lacks credentials.
pub(crate) fn builder(local: &Local) -> SessionBuilder {
    Session::builder().endpoint(endpoint(local)).trust_pem(local.ca_pem()).expect("a certificate")
}

/// A builder that is ready for `connect()`.
pub(crate) fn signed(local: &Local) -> SessionBuilder {
    Session::builder().local(local).expect("a local Keyspaces")
}

/// The parameters that another process needs for a session: host, port, name, access key, secret and CA, a line each (the CA
/// last).
pub(crate) fn connection_parameters(local: &Local) -> String {
    let own = local.credentials();
    let port = local.port().to_string();
    [local.host(), &port, local.server_name(), &own.access_key, &own.secret_key, local.ca_pem()].join("\n")
}

/// A session in another process, from the parameters that [`connection_parameters`] returned.
pub(crate) async fn connect_with(known: &str) -> Session {
    let lines: Vec<_> = known.splitn(6, '\n').collect();
    let [host, port, name, access_key, secret, ca] = lines[..] else { panic!("six parts") };
    let endpoint = Endpoint::explicit(host, port.parse().expect("a port"), name).expect("an endpoint");
    let builder = Session::builder().endpoint(endpoint).trust_pem(ca).expect("a certificate");
    builder.static_credentials(access_key, secret, None).connect().await.expect("a session")
}

pub(crate) async fn session() -> Session {
    signed(shared().await).connect().await.expect("a session")
}

/// A local Keyspaces whose definitions take effect at once. One test at a time uses it, without the keyspaces of the previous
/// test.
pub(crate) struct ExclusiveLocal {
    local: &'static Local,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for ExclusiveLocal {
    type Target = Local;

    fn deref(&self) -> &Local {
        self.local
    }
}

pub(crate) async fn without_ddl_delay() -> (ExclusiveLocal, Session) {
    static LOCAL: OnceCell<Local> = OnceCell::const_new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let start = || Local::builder().ddl_delay(Duration::ZERO).start();
    let local = LOCAL.get_or_try_init(start).await.expect("a local Keyspaces starts");
    local.faults().clear();
    let session = signed(local).connect().await.expect("a session");
    for keyspace in ["ks", "shop"] {
        if session.schema().describe_keyspace(keyspace).await.expect("it can be read").is_some() {
            session.schema().drop_keyspace(keyspace).await.expect("it is dropped");
        }
    }
    local.journal().clear();
    (ExclusiveLocal { local, _turn: turn }, session)
}
