use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::{TempDir, tempdir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A machine whose PATH has only these programs.
fn machine(programs: &[(&str, &str)]) -> (TempDir, CassandraSettings) {
    let root = tempdir().unwrap();
    for (name, script) in programs {
        let path = root.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = root.path().as_os_str().to_owned();
    let cache = Some(root.path().join("cache"));
    let environment = Environment { path, cache, ..Environment::default() };
    let settings = CassandraSettings {
        address: None,
        runtime: None,
        partitioner: Partitioner::Murmur3,
        environment,
        progress: Arc::new(|_| {}),
    };
    (root, settings)
}

const JAVA_17: &str = "echo 'openjdk version \"17.0.1\"' >&2";

/// A listener that speaks enough CQL to report its partitioner.
async fn cassandra_with(partitioner: &str) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let json = format!(r#"{{"partitioner": "{partitioner}"}}"#);
    let mut rows = b"\0\0\0\x02\0\0\0\x01\0\0\0\x01\0\x06system\0\x05local\0\x06[json]\0\x0d\0\0\0\x01".to_vec();
    rows.extend_from_slice(&(json.len() as u32).to_be_bytes());
    rows.extend_from_slice(json.as_bytes());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            for (opcode, answer) in [(0x02, &b""[..]), (0x08, &rows)] {
                let mut header = [0; 9];
                if stream.read_exact(&mut header).await.is_err() {
                    break;
                }
                let mut body = vec![0; u32::from_be_bytes(header[5..].try_into().unwrap()) as usize];
                stream.read_exact(&mut body).await.unwrap();
                let mut frame = vec![0x84, 0, 0, 0, opcode];
                frame.extend_from_slice(&(answer.len() as u32).to_be_bytes());
                frame.extend_from_slice(answer);
                stream.write_all(&frame).await.unwrap();
            }
        }
    });
    address
}

#[tokio::test]
async fn without_any_cassandra_the_error_lists_the_attempts_and_what_to_install() {
    let (_root, settings) = machine(&[]);
    let error = Cassandra::start(&settings).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cassandra);
    assert_eq!(
        error.to_string(),
        "no Cassandra could be found or started. Tried:\n  \
         - an address: KEYSPACES_LOCAL_CASSANDRA is not set\n  \
         - Docker: there is no `docker` on the PATH\n  \
         - a JDK and Maven: there is no `java` in JAVA_HOME or on the PATH\n\
         Install a JDK (17 or 11) and Maven (on Debian: apt install openjdk-17-jdk-headless maven), or Docker, or set \
         KEYSPACES_LOCAL_CASSANDRA=host:port to a Cassandra that needs no password"
    );
}

#[tokio::test]
async fn only_the_requested_runtime_is_tried() {
    let docker = "echo asked > $0.asked; exit 1";
    let (root, settings) = machine(&[("docker", docker)]);
    // The Cassandra that the environment names is not tried either.
    let cassandra = Some("127.0.0.1:1".to_owned());
    let environment = Environment { cassandra, ..settings.environment.clone() };
    let settings = CassandraSettings { runtime: Some("jdk".parse().unwrap()), environment, ..settings };
    let error = Cassandra::start(&settings).await.unwrap_err().to_string();
    assert!(error.contains("- Docker: not asked for\n"), "{error}");
    assert!(error.contains("- a JDK and Maven: there is no `java`"), "{error}");
    assert!(!root.path().join("docker.asked").exists());
    assert_eq!("podman".parse::<CassandraRuntime>().unwrap_err(), "podman is neither docker nor jdk");
}

#[tokio::test]
async fn an_unusable_runtime_is_named_with_the_reason() {
    let (root, settings) = machine(&[
        ("docker", "echo 'Cannot connect to the Docker daemon.' >&2; exit 1"),
        ("java", "echo 'java version \"1.8.0_1\"' >&2"),
    ]);
    let error = Cassandra::start(&settings).await.unwrap_err().to_string();
    let root_path = root.path().display();
    assert!(error.contains(&format!("- Docker: `{root_path}/docker info`: Cannot connect to the Docker daemon.\n")));
    assert!(error.contains(&format!("{root_path}/java is Java 8; Apache Cassandra 5.0 needs 11 or 17\n")), "{error}");

    let (_root, settings) = machine(&[("java", JAVA_17)]);
    let error = Cassandra::start(&settings).await.unwrap_err().to_string();
    assert!(error.contains("- a JDK and Maven: there is no `mvn` on the PATH to download Cassandra's jars with\n"));
}

#[tokio::test]
async fn an_error_of_a_dying_cassandra_has_the_end_of_its_log() {
    let dies = format!(
        "case $1 in -version) {JAVA_17};; *) echo INFO fine; echo 'FATAL: Cassandra is unable'; echo why; exit 3;; esac"
    );
    let (_root, settings) = machine(&[("java", &dies)]);
    let jars = settings.environment.cache.as_ref().unwrap().join("cassandra-all-5.0.6");
    fs::create_dir_all(&jars).unwrap();
    fs::write(jars.join("jamm-0.4.0.jar"), "").unwrap();
    let error = Cassandra::start(&settings).await.unwrap_err().to_string();
    assert!(
        error.contains(
            "- a JDK and Maven: Cassandra ended with 3 before it answered:\n      FATAL: Cassandra is unable\n      why\n"
        ),
        "{error}"
    );
}

/// `/dev/full` takes the place of the file with which the free space is tested.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn full_disk_during_cassandra_start_is_reported() {
    let full = format!("case $1 in -version) {JAVA_17};; *) ln -s /dev/full room; echo INFO fine; kill -BUS $$;; esac");
    let (_root, settings) = machine(&[("java", &full)]);
    let jars = settings.environment.cache.as_ref().unwrap().join("cassandra-all-5.0.6");
    fs::create_dir_all(&jars).unwrap();
    fs::write(jars.join("jamm-0.4.0.jar"), "").unwrap();
    let error = Cassandra::start(&settings).await.unwrap_err().to_string();
    assert!(
        error.contains(
            "- a JDK and Maven: Cassandra ended with 135 before it answered: the disk of the temporary folder is full (free \
             some of it, or name another folder in TMPDIR):\n      INFO fine\n"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn if_a_port_was_taken_meanwhile_another_one_is_tried() {
    let taken = format!(
        "case $1 in -version) {JAVA_17};; *) echo x >> $0.runs; echo 'Bind: Address already in use'; exit 3;; esac"
    );
    let (root, settings) = machine(&[("java", &taken)]);
    let jars = settings.environment.cache.as_ref().unwrap().join("cassandra-all-5.0.6");
    fs::create_dir_all(&jars).unwrap();
    fs::write(jars.join("jamm-0.4.0.jar"), "").unwrap();
    Cassandra::start(&settings).await.unwrap_err();
    assert_eq!(fs::read_to_string(root.path().join("java.runs")).unwrap().lines().count(), MAX_STARTS);
}

#[tokio::test]
async fn container_receives_its_configuration_and_port_and_is_removed() {
    let docker = "echo \"$@\" >> $0.asked\ncase $1 in run) \
                  for one; do case $one in --volume=*) one=${one#--volume=}; cat ${one%%:*}/cassandra.yaml > $0.yaml;; \
                  esac; done; echo 'no such image'; exit 125;; esac";
    let (root, settings) = machine(&[("docker", docker)]);
    let error = Cassandra::start(&settings).await.unwrap_err().to_string();
    assert!(error.contains("- Docker: Cassandra ended with 125 before it answered:\n      no such image\n"), "{error}");
    let arguments = fs::read_to_string(root.path().join("docker.asked")).unwrap();
    let arguments: Vec<&str> = arguments.lines().collect();
    let [info, run, rm] = arguments[..] else { panic!("{arguments:?}") };
    assert_eq!(info, "info");
    assert!(run.starts_with("run --rm --name=keyspaces-local-"), "{run}");
    assert!(run.contains(":9042 ") && run.contains("--publish=127.0.0.1:") && run.ends_with(" cassandra:5.0.6"));
    let name = run.split("--name=").nth(1).unwrap().split(' ').next().unwrap();
    assert_eq!(rm, format!("rm --force {name}"));
    let yaml = fs::read_to_string(root.path().join("docker.yaml")).unwrap();
    assert!(yaml.contains("rpc_address: 0.0.0.0\n"));
}

#[tokio::test]
async fn an_external_cassandra_is_used_if_it_has_the_required_partitioner() {
    let address = cassandra_with(Partitioner::Random.class()).await;
    let (_root, mut settings) = machine(&[]);
    settings.environment.cassandra = Some(address.to_string());
    for partitioner in [Partitioner::Random, Partitioner::Default] {
        settings.partitioner = partitioner;
        assert_eq!(Cassandra::start(&settings).await.unwrap().address(), address);
    }
    settings.partitioner = Partitioner::Murmur3;
    assert_eq!(
        Cassandra::start(&settings).await.unwrap_err().to_string(),
        format!(
            "the Cassandra at {address} cannot be used: its partitioner is \
             org.apache.cassandra.dht.RandomPartitioner, and the configured \
             org.apache.cassandra.dht.Murmur3Partitioner needs org.apache.cassandra.dht.Murmur3Partitioner"
        )
    );
}

#[tokio::test]
async fn an_unreachable_external_cassandra_is_an_error_and_nothing_else_is_tried() {
    let (root, mut settings) = machine(&[("docker", "touch $0.asked")]);
    settings.address = Some("no port".to_owned());
    let error = Cassandra::start(&settings).await.unwrap_err().to_string();
    assert!(
        error.starts_with("the Cassandra at no port cannot be used: the host and port do not resolve ("),
        "{error}"
    );

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    settings.address = Some(free.to_string());
    let error = Cassandra::start(&settings).await.unwrap_err().to_string();
    let refused =
        format!("the Cassandra at {free} cannot be used: the backing Cassandra cannot be reached at {free}: ");
    assert!(error.starts_with(&refused), "{error}");
    assert!(!root.path().join("docker.asked").exists());
}
