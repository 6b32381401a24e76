//! The stub in a separate process.

use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use tokio::net::TcpListener;

use crate::Result;
use testkit::instant::{self, Delay};

/// A stub that runs until this value is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(delay: Delay) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", &delay.duration.as_millis().to_string()])
            .args(delay.applies_to_all.then_some("--always"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        Ok(Self { process, address: line.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Prints the address, and serves until standard input ends. It ends with the parent process, even if that is killed.
pub(crate) fn serve(delay: Delay) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    println!("{}", listener.local_addr()?);
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    runtime.block_on(instant::serve(listener, delay))?;
    Ok(())
}
