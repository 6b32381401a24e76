//! Runs the transcripts in `docs/`. `TRYCMD=overwrite` rewrites them.

use std::path::Path;
use std::{fs, io};

use crate::service::{Folder, PROGRAM, ready};

#[tokio::test(flavor = "multi_thread")]
async fn program_output_matches_the_documentation() {
    let ready = ready().await.to_str().unwrap();
    tokio::task::spawn_blocking(move || {
        let cases = trycmd::TestCases::new();
        cases.register_bin("keyspaces", Path::new(PROGRAM)).env("KEYSPACES_LOCAL_READY", ready);
        cases.case("docs/*.md").run();
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn every_command_has_a_transcript() {
    let help = Folder::new().run(&["--help"]).await.stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).collect();
    let commands: Vec<&str> = commands.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 15, "{help}");
    let pages: Result<Vec<_>, io::Error> = fs::read_dir("docs").unwrap().collect();
    let pages = pages.unwrap().into_iter().map(|page| page.path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let text: String = pages.map(|path| fs::read_to_string(path).unwrap()).collect();
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(text.contains(&format!("\n$ keyspaces {command}")), "{command} has no transcript");
    }
}
