//! The service that the program connects to: from flags, then the environment, then `keyspaces.toml`.

use std::fs;

use tokio::process::Command;

use crate::service::{Finished, Folder, PROGRAM, service};

/// An address on which no server listens.
const UNREACHABLE: &str = "127.0.0.1:1";

/// `keyspaces ping` in a folder, without connection settings in the environment.
fn ping(folder: &Folder) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("ping").current_dir(folder.path("")).kill_on_drop(true);
    for variable in ["KEYSPACES_LOCAL_READY", "KEYSPACES_REGION", "KEYSPACES_ENDPOINT", "AWS_REGION", "AWS_PROFILE"] {
        command.env_remove(variable);
    }
    command
}

async fn output(mut command: Command) -> Finished {
    command.output().await.unwrap().into()
}

#[tokio::test]
async fn project_file_applies_only_without_flags_and_environment() {
    let folder = Folder::new();
    folder.write("ready.json", service().await.ready().json());
    folder.write("keyspaces.toml", "local = \"ready.json\"\n");
    fs::create_dir(folder.path("inner")).unwrap();
    let mut from_file = ping(&folder);
    from_file.current_dir(folder.path("inner"));
    let answered = output(from_file).await;
    assert_eq!(answered.status, Some(0), "{answered:?}");

    let mut from_environment = ping(&folder);
    from_environment.env("KEYSPACES_PLAIN_CASSANDRA", UNREACHABLE);
    let refused = output(from_environment).await;
    assert!(refused.status == Some(5) && refused.stderr.contains(UNREACHABLE), "{refused:?}");

    let mut from_flag = ping(&folder);
    from_flag.env("KEYSPACES_PLAIN_CASSANDRA", UNREACHABLE).args(["--local", "ready.json"]);
    let answered = output(from_flag).await;
    assert_eq!(answered.status, Some(0), "{answered:?}");

    folder.write("keyspaces.toml", "local = \"ready.json\"\npassword = \"secret\"\n");
    let refused = output(ping(&folder)).await;
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("unknown field `password`"), "{refused:?}");
}

#[tokio::test]
async fn user_connects_with_password_from_the_environment() {
    let ready = service().await.ready();
    let folder = Folder::new();
    let (endpoint, ca) = (format!("{}:{}", ready.host, ready.port), ready.ca.display().to_string());
    let with_user = || {
        let mut command = ping(&folder);
        command.args(["--endpoint", &endpoint, "--region", &ready.region, "--ca", &ca]);
        command.args(["--user", &ready.credentials.user]).env_remove("KEYSPACES_PASSWORD");
        command
    };
    let mut command = with_user();
    command.env("KEYSPACES_PASSWORD", &ready.credentials.password);
    let answered = output(command).await;
    assert_eq!(answered.status, Some(0), "{answered:?}");

    let refused = output(with_user()).await;
    assert_eq!(refused.status, Some(2));
    let user = &ready.credentials.user;
    assert_eq!(refused.stderr, format!("error: the password of {user} is not known. Set KEYSPACES_PASSWORD\n"));
}
