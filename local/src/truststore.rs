//! Writes the authority's certificate as a Java keystore.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::cassandra::environment::Environment;
use crate::error::{Error, ErrorKind};

/// Java's default password for keystores without secrets.
const PASSWORD: &str = "changeit";
/// The time limit of keytool, for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Writes a PKCS 12 keystore with the certificate of the authority in `ca`, with Java's `keytool`.
pub(crate) async fn write(environment: &Environment, ca: &Path, file: &Path) -> Result<(), Error> {
    written(environment, ca, file).await.map_err(|problem| {
        let problem = format!("the truststore {} cannot be written: {problem}", file.display());
        Error::new(ErrorKind::Certificate, problem)
    })
}

async fn written(environment: &Environment, ca: &Path, file: &Path) -> Result<(), String> {
    let beside_java = environment.java_home.as_ref().map(|home| home.join("bin").join("keytool"));
    let keytool = beside_java.filter(|path| path.exists()).or_else(|| environment.program("keytool"));
    let keytool = keytool.ok_or("there is no `keytool` in JAVA_HOME or on the PATH; it comes with Java")?;
    match tokio::fs::remove_file(file).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
        _ => {}
    }
    let mut command = Command::new(&keytool);
    command.args(["-importcert", "-noprompt", "-alias", "keyspaces-local", "-storetype", "PKCS12"]);
    command.args(["-storepass", PASSWORD]).arg("-file").arg(ca).arg("-keystore").arg(file);
    let output = timeout(TIMEOUT, command.stdin(Stdio::null()).kill_on_drop(true).output()).await;
    let output = output.map_err(|_| format!("{} did not end within {TIMEOUT:?}", keytool.display()))?;
    let output = output.map_err(|error| format!("{} could not be started: {error}", keytool.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let output = [output.stdout, output.stderr].concat();
    Err(format!("{}: {}", keytool.display(), String::from_utf8_lossy(&output).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::Ca;

    #[tokio::test]
    async fn java_reads_the_certificate_and_the_file_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (pem, file) = (directory.path().join("ca.pem"), directory.path().join("trust.p12"));
        std::fs::write(&pem, Ca::generate(&["localhost".to_owned()]).unwrap().pem()).unwrap();
        std::fs::write(&file, "of an earlier start").unwrap();
        let environment = Environment::from_environment();
        write(&environment, &pem, &file).await.unwrap();
        let mut keytool = std::process::Command::new(environment.program("keytool").unwrap());
        let listed = keytool.args(["-list", "-storepass", PASSWORD, "-keystore"]).arg(&file).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("keyspaces-local") && listed.contains("trustedCertEntry"), "{listed}");
    }

    #[tokio::test]
    async fn without_keytool_the_error_says_what_is_missing() {
        let error = write(&Environment::default(), Path::new("ca.pem"), Path::new("t.p12")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the truststore t.p12 cannot be written: there is no `keytool` in JAVA_HOME or on the PATH; it comes with Java"
        );
    }
}
