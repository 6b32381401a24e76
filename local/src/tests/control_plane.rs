//! The control plane as clients use it: over TLS, with signatures of the AWS SDK for Rust.

mod limits;
mod signatures;

use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::auth::FirstResponse;
use crate::auth::http::tests::{ClientRequest, RequestSigner};
use crate::{Credentials, Local};

/// An HTTP response.
#[derive(Debug)]
struct HttpResponse {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl HttpResponse {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The status, the error's type, and its message.
    fn error(&self) -> (u16, String, String) {
        let body: Value = if self.head.contains("application/cbor") {
            ciborium::from_reader(self.body.as_slice()).unwrap()
        } else {
            self.json()
        };
        let text = |member: &str| body[member].as_str().unwrap().to_owned();
        (self.status, text("__type"), text("message"))
    }
}

/// The address of the control plane.
fn port(local: &Local) -> u16 {
    local.control_plane().rsplit(':').next().unwrap().parse().unwrap()
}

async fn connect(local: &Local) -> impl AsyncRead + AsyncWrite + Unpin {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(local.ca_path()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let stream = TcpStream::connect(("127.0.0.1", port(local))).await.unwrap();
    TlsConnector::from(config).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

/// Writes the request unchanged, and reads the response to its end.
async fn send_raw(local: &Local, request: &[u8]) -> HttpResponse {
    let mut stream = connect(local).await;
    stream.write_all(request).await.unwrap();
    read(&mut stream).await
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> HttpResponse {
    let mut answer = Vec::new();
    // Once the response is complete, it does not matter how the connection is closed.
    let _ = stream.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    HttpResponse { status, head, body: answer[end + 4..].to_vec() }
}

async fn send(local: &Local, signed: &ClientRequest) -> HttpResponse {
    let mut request = format!("{} {} HTTP/1.1\r\n", signed.method, signed.path).into_bytes();
    for (name, value) in &signed.headers {
        request.extend(format!("{name}: ").bytes());
        request.extend(value);
        request.extend(b"\r\n");
    }
    request.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", signed.body.len()).bytes());
    request.extend(&signed.body);
    send_raw(local, &request).await
}

fn client(credentials: &Credentials, service: &'static str) -> RequestSigner {
    RequestSigner { credentials: credentials.clone(), region: "us-east-1", service, at: SystemTime::now() }
}

fn in_json(client: &RequestSigner, target: &str, content_type: &str, body: &str) -> ClientRequest {
    client.sign("/", "", &[("x-amz-target", target), ("content-type", content_type)], body.as_bytes())
}

fn in_cbor(client: &RequestSigner, path: &str, more: &[(&str, &str)]) -> ClientRequest {
    let headers = [&[("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], more].concat();
    client.sign(path, "", &headers, b"\xa0")
}

async fn iam(local: &Local, form: &str) -> HttpResponse {
    let form = format!("Version=2010-05-08&{form}");
    let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    send(local, &client(local.credentials(), "iam").sign("/", "", &headers, form.as_bytes())).await
}

const JSON: &str = "application/x-amz-json-1.0";
const NOT_KNOWN: &str = "(the service's message is not known)";

#[tokio::test]
async fn unknown_operations_are_refused_in_the_requests_protocol() {
    let local = Local::shared().await.unwrap();
    let keyspaces = client(local.credentials(), "cassandra");
    let refused = async |signed: ClientRequest| send(local, &signed).await.error();

    let unknown = "com.amazon.coral.service#UnknownOperationException".to_owned();
    let problem = format!("keyspaces-local: Keyspaces has no operation \"DropEverything\" {NOT_KNOWN}");
    let json = in_json(&keyspaces, "KeyspacesService.DropEverything", JSON, "{}");
    assert_eq!(refused(json).await, (404, unknown.clone(), problem.clone()));
    let cbor = in_cbor(&keyspaces, "/service/KeyspacesService/operation/DropEverything", &[]);
    assert_eq!(refused(cbor).await, (404, unknown.clone(), problem));
    let problem = format!(
        "keyspaces-local: X-Amz-Target names no service of this control plane, as KeyspacesService is {NOT_KNOWN}"
    );
    assert_eq!(refused(in_json(&keyspaces, "DynamoDB_20120810.ListTables", JSON, "{}")).await, (404, unknown, problem));

    let malformed = "com.amazon.coral.service#MalformedHttpRequestException".to_owned();
    let list = "/service/KeyspacesService/operation/ListKeyspaces";
    let mixed = in_cbor(&keyspaces, list, &[("x-amz-target", "KeyspacesService.ListKeyspaces")]);
    let problem = format!("keyspaces-local: a request in CBOR has no X-Amz-Target header {NOT_KNOWN}");
    assert_eq!(refused(mixed).await, (400, malformed.clone(), problem));
    let without = keyspaces.sign(list, "", &[("content-type", "application/cbor")], b"\xa0");
    let problem = format!("keyspaces-local: a request in CBOR has the header smithy-protocol: rpc-v2-cbor {NOT_KNOWN}");
    assert_eq!(refused(without).await, (400, malformed, problem));
}

#[tokio::test]
async fn unsigned_requests_and_principals_without_permissions_are_refused() {
    let local = Local::shared().await.unwrap();
    let list = |client: &RequestSigner| in_json(client, "KeyspacesService.ListKeyspaces", JSON, "{}");
    let refused = async |signed: ClientRequest| send(local, &signed).await.error();

    let mut unsigned = list(&client(local.credentials(), "cassandra"));
    unsigned.headers.retain(|(name, _)| name != "authorization");
    let (status, name, _) = refused(unsigned).await;
    assert_eq!((status, name.as_str()), (403, "com.amazon.coral.service#MissingAuthenticationTokenException"));

    let other_region = RequestSigner { region: "eu-west-1", ..client(local.credentials(), "cassandra") };
    let problem = "Credential should be scoped to a valid region, not 'eu-west-1'.".to_owned();
    let name = "com.amazon.coral.service#InvalidSignatureException".to_owned();
    assert_eq!(refused(list(&other_region)).await, (403, name, problem));

    let nobody = client(local.credentials_without_permissions(), "cassandra");
    let problem = "User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: cassandra:Select because no \
                   identity-based policy allows the cassandra:Select action";
    let name = "com.amazonaws.keyspaces#AccessDeniedException".to_owned();
    assert_eq!(refused(list(&nobody)).await, (403, name, problem.to_owned()));
    let signed = in_cbor(&nobody, "/service/KeyspacesService/operation/ListKeyspaces", &[]);
    let answer = send(local, &signed).await;
    assert_eq!(answer.error().2, problem);
    for header in ["smithy-protocol: rpc-v2-cbor", "x-amzn-requestid: ", "content-type: application/cbor"] {
        assert!(answer.head.contains(header), "{}", answer.head);
    }
}

/// Whether a CQL login with this user and password succeeds.
fn logs_in(local: &Local, user: &str, password: &str) -> bool {
    matches!(local.authority().begin(format!("\0{user}\0{password}").as_bytes()), FirstResponse::Accepted)
}

fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once(&format!("</{name}>")).unwrap().0
}

#[tokio::test]
async fn active_service_specific_credential_logs_in_over_cql() {
    let local = Local::shared().await.unwrap();
    let create = "Action=CreateServiceSpecificCredential&UserName=alice&ServiceName=cassandra.amazonaws.com";
    let made = iam(local, create).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.text();
    let (user, password) = (element(&made, "ServiceUserName"), element(&made, "ServicePassword"));
    let id = element(&made, "ServiceSpecificCredentialId");
    assert_eq!((user, element(&made, "Status")), ("alice-at-111122223333", "Active"));
    assert!(logs_in(local, user, password));
    assert!(!logs_in(local, user, "another"));

    let second = iam(local, create).await.text();
    assert_eq!(element(&second, "ServiceUserName"), "alice+1-at-111122223333");
    let third = iam(local, create).await;
    assert_eq!((third.status, element(&third.text(), "Code")), (409, "LimitExceeded"));
    assert_eq!(element(&third.text(), "Message"), "Cannot exceed quota for ServiceSpecificCredentialsPerUser: 2");

    let listed = iam(local, "Action=ListServiceSpecificCredentials&UserName=alice").await.text();
    assert_eq!((listed.matches("<member>").count(), listed.contains("ServicePassword")), (2, false), "{listed}");
    let first = iam(local, "Action=ListServiceSpecificCredentials&UserName=alice&MaxItems=1").await.text();
    assert_eq!((element(&first, "IsTruncated"), first.matches("<member>").count()), ("true", 1));
    let marker = element(&first, "Marker");
    let rest =
        iam(local, &format!("Action=ListServiceSpecificCredentials&UserName=alice&Marker={marker}")).await.text();
    assert_eq!(element(&rest, "ServiceSpecificCredentialId"), marker);

    let of_it = |action: &str| {
        format!("Action={action}ServiceSpecificCredential&UserName=alice&ServiceSpecificCredentialId={id}")
    };
    assert_eq!(iam(local, &format!("{}&Status=Inactive", of_it("Update"))).await.status, 200);
    assert!(!logs_in(local, user, password));
    assert_eq!(iam(local, &format!("{}&Status=Active", of_it("Update"))).await.status, 200);
    assert!(logs_in(local, user, password));
    let reset = iam(local, &of_it("Reset")).await.text();
    assert!(!logs_in(local, user, password));
    assert!(logs_in(local, user, element(&reset, "ServicePassword")));
    assert_eq!(iam(local, &of_it("Delete")).await.status, 200);
    assert!(!logs_in(local, user, element(&reset, "ServicePassword")));
    let gone = iam(local, &of_it("Delete")).await;
    assert_eq!((gone.status, element(&gone.text(), "Code")), (404, "NoSuchEntity"));
}

#[tokio::test]
async fn service_specific_credentials_survive_a_restart() {
    let cassandra = Local::shared().await.unwrap().cassandra_address().to_string();
    let instance = crate::random::hex_32();
    let start =
        || async { Local::builder().cassandra(cassandra.as_str()).instance(&instance).peers(1).start().await.unwrap() };
    let create = async |local: &Local, user: &str| {
        let form =
            format!("Action=CreateServiceSpecificCredential&UserName={user}&ServiceName=cassandra.amazonaws.com");
        let made = iam(local, &form).await.text();
        ["ServiceUserName", "ServicePassword", "ServiceSpecificCredentialId"]
            .map(|name| element(&made, name).to_owned())
    };
    let change = async |local: &Local, action: &str, user: &str, id: &str| {
        let form = format!(
            "Action={action}ServiceSpecificCredential&UserName={user}&ServiceSpecificCredentialId={id}&Status=Inactive"
        );
        let answer = iam(local, &form).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    };
    let list = "Action=ListServiceSpecificCredentials&AllUsers=true";

    let first = start().await;
    let [kept, inactive, reset, deleted] = [
        create(&first, "kept").await,
        create(&first, "inactive").await,
        create(&first, "reset").await,
        create(&first, "deleted").await,
    ];
    change(&first, "Update", "inactive", &inactive[2]).await;
    let renewed = change(&first, "Reset", "reset", &reset[2]).await;
    let renewed = element(&renewed, "ServicePassword");
    change(&first, "Delete", "deleted", &deleted[2]).await;
    let listed = iam(&first, list).await.text();
    first.close().await.unwrap();

    let second = start().await;
    let [kept_logs_in, inactive_logs_in, reset_logs_in, deleted_logs_in] =
        [&kept, &inactive, &reset, &deleted].map(|one| logs_in(&second, &one[0], &one[1]));
    assert!(kept_logs_in && !inactive_logs_in && !reset_logs_in && !deleted_logs_in);
    assert!(logs_in(&second, &reset[0], renewed));
    let members = |xml: &str| xml.matches("<member>").count();
    assert_eq!(members(&listed), 3);
    let again = iam(&second, list).await.text();
    let list_of = |xml: &str| element(xml, "ServiceSpecificCredentials").to_owned();
    assert_eq!(list_of(&again), list_of(&listed));
    // The CQL user name is in use, so the new credential gets a suffix.
    assert_eq!(create(&second, "kept").await[0], "kept+1-at-111122223333");
    change(&second, "Delete", "kept", &kept[2]).await;
    second.close().await.unwrap();

    let third = start().await;
    assert!(!logs_in(&third, &kept[0], &kept[1]));
    third.close().await.unwrap();
}

#[tokio::test]
async fn a_user_of_the_principal_without_permissions_has_none() {
    let local = Local::shared().await.unwrap();
    let made =
        iam(local, "Action=CreateServiceSpecificCredential&UserName=nobody&ServiceName=cassandra.amazonaws.com").await;
    let made = made.text();
    let (user, password) = (element(&made, "ServiceUserName"), element(&made, "ServicePassword"));
    assert_eq!(user, "nobody+1-at-111122223333", "the first is in the ready file");
    match local.authority().begin(format!("\0{user}\0{password}").as_bytes()) {
        FirstResponse::Refused(refusal) => {
            assert_eq!(refusal.text, "User arn:aws:iam::111122223333:user/nobody has no permissions.");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn iam_refuses_in_xml() {
    let local = Local::shared().await.unwrap();
    for (form, status, code, message) in [
        ("Action=CreateUser", 404, "InvalidAction", "Could not find operation CreateUser for version 2010-05-08"),
        ("UserName=a", 400, "MissingAction", "The request is missing an action or a required parameter."),
        (
            "Action=CreateServiceSpecificCredential&UserName=a/b",
            400,
            "ValidationError",
            "2 validation errors detected: Value 'a/b' at 'userName' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [\\w+=,.@-]+; Value null at 'serviceName' failed to satisfy constraint: Member must not be \
             null",
        ),
        (
            "Action=CreateServiceSpecificCredential&UserName=a&ServiceName=codecommit.amazonaws.com",
            404,
            "NotSupportedService",
            "keyspaces-local: not emulated: service-specific credentials of &quot;codecommit.amazonaws.com&quot;; those of \
             cassandra.amazonaws.com are",
        ),
    ] {
        let answer = iam(local, form).await;
        let text = answer.text();
        assert_eq!((answer.status, element(&text, "Code"), element(&text, "Message")), (status, code, message));
    }
    let wrong = Credentials { secret_key: "wrong".to_owned(), ..local.credentials().clone() };
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = b"Action=ListServiceSpecificCredentials&Version=2010-05-08";
    let answer = send(local, &client(&wrong, "iam").sign("/", "", &headers, form)).await;
    assert_eq!((answer.status, element(&answer.text(), "Code")), (403, "SignatureDoesNotMatch"));
}

#[tokio::test]
async fn oversized_http_body_is_refused_unread() {
    let local = Local::shared().await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: KeyspacesService.ListKeyspaces\r\ncontent-length: 100000000\r\n\r\n";
    let answer = send_raw(local, head.as_bytes()).await;
    let problem = format!("keyspaces-local: the body is longer than 1048576 bytes {NOT_KNOWN}");
    let name = "com.amazon.coral.service#RequestEntityTooLargeException".to_owned();
    assert_eq!(answer.error(), (413, name, problem));

    let head = "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: KeyspacesService.ListKeyspaces\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut request = head.as_bytes().to_vec();
    for _ in 0..20 {
        request.extend(format!("{:x}\r\n", 100_000).bytes());
        request.extend(vec![b' '; 100_000]);
        request.extend(b"\r\n");
    }
    assert_eq!(send_raw(local, &request).await.status, 413);

    let long = format!("POST / HTTP/1.1\r\nhost: localhost\r\nx-long: {}\r\n\r\n", "x".repeat(100_000));
    assert_eq!(send_raw(local, long.as_bytes()).await.status, 431);
}

#[tokio::test]
async fn application_auto_scaling_describes_the_auto_scaling_settings() {
    let shared = Local::shared().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let schema = directory.path().join("schema.cql");
    let policy = "'scaling_policy': {'target_tracking_scaling_policy_configuration': {'target_value': 60, 'scale_out_cooldown': 30}}";
    let text = format!(
        "CREATE KEYSPACE ks WITH replication = {{'class': 'SingleRegionStrategy'}}; \
         CREATE TABLE ks.plain (id int PRIMARY KEY); \
         CREATE TABLE ks.t (id int PRIMARY KEY) WITH CUSTOM_PROPERTIES = {{'capacity_mode': {{'throughput_mode': 'PROVISIONED', \
         'read_capacity_units': 5, 'write_capacity_units': 5}}}} AND AUTOSCALING_SETTINGS = {{'provisioned_write_capacity_autoscaling_update': \
         {{'maximum_units': 10, 'minimum_units': 5, {policy}}}}};"
    );
    std::fs::write(&schema, text).unwrap();
    let cassandra = shared.cassandra_address().to_string();
    let local = Local::builder().cassandra(cassandra).schema(schema).peers(1).start().await.unwrap();
    let scaling = client(local.credentials(), "application-autoscaling");
    let call = async |operation: &str, body: &str| {
        let target = format!("AnyScaleFrontendService.{operation}");
        send(&local, &in_json(&scaling, &target, "application/x-amz-json-1.1", body)).await
    };
    let targets = call("DescribeScalableTargets", r#"{"ServiceNamespace": "cassandra"}"#).await.json();
    let target = &targets["ScalableTargets"][0];
    assert_eq!(targets["ScalableTargets"].as_array().unwrap().len(), 1);
    assert_eq!(target["ResourceId"], "keyspace/ks/table/t");
    assert_eq!(target["ScalableDimension"], "cassandra:table:WriteCapacityUnits");
    assert_eq!((&target["MinCapacity"], &target["MaxCapacity"]), (&json!(5), &json!(10)));
    let body = r#"{"ServiceNamespace": "cassandra", "ResourceId": "keyspace/ks/table/t"}"#;
    let policies = call("DescribeScalingPolicies", body).await.json();
    let configuration = &policies["ScalingPolicies"][0]["TargetTrackingScalingPolicyConfiguration"];
    assert_eq!((&configuration["TargetValue"], &configuration["ScaleOutCooldown"]), (&json!(60.0), &json!(30)));
    let other = call("DescribeScalableTargets", r#"{"ServiceNamespace": "dynamodb"}"#).await.json();
    assert_eq!(other, json!({"ScalableTargets": []}));
    let refused = call("RegisterScalableTarget", "{}").await;
    let problem = "keyspaces-local: not emulated: RegisterScalableTarget of Application Auto Scaling; a table's own \
                   autoScalingSpecification does it (API:UpdateTable)";
    assert_eq!(refused.error(), (400, "ValidationException".to_owned(), problem.to_owned()));
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_control_plane_ends_with_its_service_without_waiting_for_idle_clients() {
    let shared = Local::shared().await.unwrap();
    let cassandra = shared.cassandra_address().to_string();
    let local = Local::builder().cassandra(cassandra).plain_http(true).peers(1).start().await.unwrap();
    assert_eq!(local.control_plane(), format!("http://localhost:{}", port(&local)));
    let mut idle = TcpStream::connect(("127.0.0.1", port(&local))).await.unwrap();
    let mut plain = TcpStream::connect(("127.0.0.1", port(&local))).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut plain).await.status, 404);
    let port = port(&local);
    local.close().await.unwrap();
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}
