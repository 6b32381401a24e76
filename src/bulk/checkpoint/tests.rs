use super::*;

fn operation() -> Operation {
    Operation {
        attempted: "loading shop.sales".to_owned(),
        options: BTreeMap::from([("columns".to_owned(), "id, price".to_owned())]),
        files: vec![FileSignature { name: "sales.csv".to_owned(), bytes: Some(10) }],
    }
}

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("keyspaces-{}", uuid::Uuid::new_v4()));
    fs::create_dir(&folder).unwrap();
    folder
}

fn state() -> CheckpointState {
    let position = RowPosition { file: 1, at: Position { offset: 77, line: 4, crc: 9 }, bytes: 0 };
    let resume = ResumePoint { ordinal: 3, position, read_to: 9, unsent: vec![3, 5, 8] };
    let counts = Counts { rows: 6, rejected: 1, units: 7.5, ..Counts::default() };
    CheckpointState { counts, rejected_bytes: Some(0), resume: Some(resume), ..CheckpointState::default() }
}

#[test]
fn saved_checkpoint_is_read_back() {
    let folder = folder();
    let path = folder.join("checkpoint");
    let mut checkpoint = Checkpoint::open(&path, operation()).unwrap();
    assert_eq!(checkpoint.state(), &CheckpointState::default());
    checkpoint.save(state()).unwrap();
    let error = Checkpoint::open(&path, operation()).unwrap_err();
    let expected = format!(
        "locking the checkpoint {} failed: another program uses it. Wait until that program has ended, or name another \
         checkpoint",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    drop(checkpoint);
    assert_eq!(Checkpoint::open(&path, operation()).unwrap().state(), &state());
    fs::remove_dir_all(folder).unwrap();
}

/// Every checkpoint that is written can be read; a larger one is refused when it is opened, and when it is saved.
#[test]
fn checkpoint_too_large_to_read_back_is_not_written() {
    const MAX: u64 = 1_000;
    let folder = folder();
    let path = folder.join("checkpoint");
    let with_name = |bytes: u64| {
        let name = "x".repeat(usize::try_from(bytes).unwrap());
        Operation { files: vec![FileSignature { name, bytes: None }], ..operation() }
    };
    let refused = |bytes: u64| {
        format!(
            "writing the checkpoint {} failed: it would have {bytes} bytes, more than the 1000 that can be read again. Pass \
             fewer files at once, or shuffle fewer rows",
            path.display()
        )
    };
    let without_name =
        Checkpoint::open_bounded(&path, with_name(0), MAX).unwrap().encode(&CheckpointState::default()).unwrap();
    let room = MAX - without_name.len() as u64;
    let error = Checkpoint::open_bounded(&path, with_name(room + 1), MAX).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::File, refused(MAX + 1)));

    let mut checkpoint = Checkpoint::open_bounded(&path, with_name(room), MAX).unwrap();
    checkpoint.save(CheckpointState::default()).unwrap();
    let grown = CheckpointState { is_read: true, scan: Some("12".to_owned()), ..CheckpointState::default() };
    let bytes = MAX + "\"12\"".len() as u64 - "null".len() as u64 + "true".len() as u64 - "false".len() as u64;
    assert!(bytes < MAX, "shorter by one");
    checkpoint.save(grown.clone()).unwrap();
    let error = checkpoint.save(CheckpointState { is_read: false, scan: Some("123".to_owned()), ..grown.clone() });
    assert_eq!(error.unwrap_err().to_string(), refused(MAX + 1));
    drop(checkpoint);
    assert_eq!(Checkpoint::open_bounded(&path, with_name(room), MAX).unwrap().state(), &grown);

    fs::write(&path, " ".repeat(usize::try_from(MAX + 1).unwrap())).unwrap();
    let error = Checkpoint::open_bounded(&path, operation(), MAX).unwrap_err();
    let expected = format!(
        "reading the checkpoint {} failed: the file has more than 1000 bytes, so it is not a checkpoint",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn checkpoint_too_large_of_an_operation_without_files_has_its_own_advice() {
    let folder = folder();
    let path = folder.join("checkpoint");
    let options = BTreeMap::from([("columns".to_owned(), "x".repeat(1_000))]);
    let copy = Operation { attempted: "copying shop.a to shop.b".to_owned(), options, files: Vec::new() };
    let error = Checkpoint::open_bounded(&path, copy, 1_000).unwrap_err();
    let end = "more than the 1000 that can be read again. Name fewer columns, or use a shorter filter";
    assert!(error.to_string().ends_with(end), "{error}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_checkpoint_of_another_operation_is_refused() {
    let folder = folder();
    let path = folder.join("checkpoint");
    Checkpoint::open(&path, operation()).unwrap().save(state()).unwrap();
    let table = Operation { attempted: "loading shop.names".to_owned(), ..operation() };
    let file = |name: &str, bytes| vec![FileSignature { name: name.to_owned(), bytes: Some(bytes) }];
    let other_file = Operation { files: file("names.csv", 10), ..operation() };
    let resized = Operation { files: file("sales.csv", 11), ..operation() };
    let mut columns = operation();
    columns.options.insert("columns".to_owned(), "id".to_owned());
    let mut more = operation();
    more.options.insert("null".to_owned(), "written".to_owned());
    for (requested, problem) in [
        (table, "it belongs to loading shop.sales, not to loading shop.names"),
        (other_file, "its input is sales.csv, not names.csv"),
        (resized, "sales.csv had 10 bytes when the checkpoint was written, and has 11 now"),
        (columns, "the setting \"columns\" was id, price, and is id"),
        (more, "the setting \"null\" was not set, and is written"),
    ] {
        let error = Checkpoint::open(&path, requested).unwrap_err();
        let expected = format!(
            "reading the checkpoint {} failed: {problem}. Use the options and files of the first run, or name another \
             checkpoint to start again",
            path.display()
        );
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Cursor, expected));
    }
    fs::write(&path, "{").unwrap();
    let error = Checkpoint::open(&path, operation()).unwrap_err();
    assert!(error.to_string().contains("failed: the file is not a checkpoint: EOF"), "{error}");
    fs::remove_dir_all(folder).unwrap();
}
