//! Writer and reader together, on real files.

use logfile::{Entry, Options, Query, Reader, Stream, Writer};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("naru-test-logfile-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }
    fn log(&self) -> PathBuf {
        self.0.join("x-json.log")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // Nothing depends on it.
    }
}

fn options(max_size_bytes: u64, max_files: u32) -> Options {
    Options { max_size_bytes, max_files, attrs: BTreeMap::new() }
}

fn texts(reader: &mut Reader) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(entry) = reader.next().expect("the log is readable") {
        lines.push(entry.line.trim_end_matches('\n').to_owned());
    }
    lines
}

fn write(writer: &mut Writer, text: &str, t_ns: i64) {
    writer.write(Stream::Stdout, text.as_bytes(), t_ns).expect("the log is writable");
}

#[test]
fn written_output_is_read_back_with_stream_time_and_attributes() {
    let scratch = Scratch::new("back");
    let attrs = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let options = Options { max_size_bytes: 0, max_files: 1, attrs: attrs.clone() };
    let mut writer = Writer::open(&scratch.log(), options).expect("the log is writable");
    writer.write(Stream::Stdout, b"out\nrest", 1).expect("the log is writable");
    writer.write(Stream::Stderr, b"\xff\n", 2).expect("the log is writable");
    writer.finish(Stream::Stdout, 3).expect("the log is writable");
    let mut reader = Reader::open(&scratch.log(), 1, Query::default()).expect("the log is readable");
    let entry = |stream, t_ns, line: &str| Entry { stream, t_ns, line: line.into(), attrs: attrs.clone() };
    let mut entries = Vec::new();
    while let Some(entry) = reader.next().expect("the log is readable") {
        entries.push(entry);
    }
    assert_eq!(
        entries,
        [
            entry(Stream::Stdout, 1, "out\n"),
            entry(Stream::Stderr, 2, "\u{fffd}\n"),
            entry(Stream::Stdout, 3, "rest")
        ]
    );
    let mode = fs::metadata(scratch.log()).expect("the log is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn rotation_keeps_max_files_and_readers_see_them_in_order() {
    let scratch = Scratch::new("rotation");
    let mut writer = Writer::open(&scratch.log(), options(200, 3)).expect("the log is writable");
    for number in 0..20 {
        write(&mut writer, &format!("line {number}\n"), number);
    }
    let names: Vec<bool> = ["", ".1", ".2", ".3"]
        .iter()
        .map(|end| fs::exists(format!("{}{end}", scratch.log().display())).expect("stat"))
        .collect();
    assert_eq!(names, [true, true, true, false]);
    let mut reader = Reader::open(&scratch.log(), 3, Query::default()).expect("the log is readable");
    let lines = texts(&mut reader);
    let expected: Vec<String> = (20 - lines.len()..20).map(|number| format!("line {number}")).collect();
    assert_eq!(lines, expected);
    assert!(lines.len() > 6, "three files hold more than {} lines", lines.len());
}

#[test]
fn follower_loses_nothing_across_rotations() {
    let scratch = Scratch::new("follow");
    let mut writer = Writer::open(&scratch.log(), options(300, 4)).expect("the log is writable");
    let mut reader = Reader::open(&scratch.log(), 4, Query::default()).expect("the log is readable");
    let mut seen = Vec::new();
    for number in 0..500 {
        write(&mut writer, &format!("{number}\n"), number);
        if number % 7 == 0 {
            seen.extend(texts(&mut reader));
        }
    }
    seen.extend(texts(&mut reader));
    assert_eq!(seen, (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn follower_goes_on_when_the_only_file_is_replaced() {
    let scratch = Scratch::new("single");
    let mut writer = Writer::open(&scratch.log(), options(150, 1)).expect("the log is writable");
    let mut reader = Reader::open(&scratch.log(), 1, Query::default()).expect("the log is readable");
    let mut seen = Vec::new();
    for number in 0..50 {
        write(&mut writer, &format!("{number}\n"), number);
        seen.extend(texts(&mut reader));
    }
    assert_eq!(seen, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn log_that_appears_later_is_followed() {
    let scratch = Scratch::new("later");
    let mut reader = Reader::open(&scratch.log(), 2, Query::default()).expect("no log is an empty log");
    assert_eq!(texts(&mut reader), Vec::<String>::new());
    let mut writer = Writer::open(&scratch.log(), options(0, 2)).expect("the log is writable");
    write(&mut writer, "a\n", 1);
    assert_eq!(texts(&mut reader), ["a"]);
}

#[test]
fn queries_select_by_tail_and_time() {
    let scratch = Scratch::new("query");
    let mut writer = Writer::open(&scratch.log(), options(400, 5)).expect("the log is writable");
    for number in 0..12 {
        write(&mut writer, &format!("{number}\n"), number);
    }
    let select = |tail, since, until| {
        let query = Query { tail, since, until };
        texts(&mut Reader::open(&scratch.log(), 5, query).expect("the log is readable")).join(" ")
    };
    let cases = [
        ((None, None, None), "0 1 2 3 4 5 6 7 8 9 10 11"),
        ((Some(0), None, None), ""),
        ((Some(3), None, None), "9 10 11"),
        ((Some(9), None, None), "3 4 5 6 7 8 9 10 11"),
        ((Some(99), None, None), "0 1 2 3 4 5 6 7 8 9 10 11"),
        ((None, Some(10), None), "10 11"),
        ((None, None, Some(1)), "0 1"),
        ((Some(3), Some(10), Some(10)), "10"),
    ];
    for ((tail, since, until), expected) in cases {
        assert_eq!(select(tail, since, until), expected, "{tail:?} {since:?} {until:?}");
    }
}

#[test]
fn tail_zero_follows_only_what_comes() {
    let scratch = Scratch::new("tail0");
    let mut writer = Writer::open(&scratch.log(), options(0, 1)).expect("the log is writable");
    write(&mut writer, "old\n", 1);
    let query = Query { tail: Some(0), since: None, until: None };
    let mut reader = Reader::open(&scratch.log(), 1, query).expect("the log is readable");
    assert_eq!(texts(&mut reader), Vec::<String>::new());
    write(&mut writer, "new\n", 2);
    assert_eq!(texts(&mut reader), ["new"]);
}

#[test]
fn record_cut_off_by_a_crash_spoils_no_other() {
    let scratch = Scratch::new("crash");
    fs::write(
        scratch.log(),
        b"{\"log\":\"ok\\n\",\"stream\":\"stdout\",\"time\":\"1970-01-01T00:00:00Z\"}\n{\"log\":\"cut",
    )
    .expect("the directory is writable");
    let mut writer = Writer::open(&scratch.log(), options(0, 1)).expect("the log is writable");
    write(&mut writer, "after\n", 5);
    let mut reader = Reader::open(&scratch.log(), 1, Query::default()).expect("the log is readable");
    assert_eq!(texts(&mut reader), ["ok", "after"]);
    assert_eq!(reader.malformed(), 1);
}

#[test]
fn full_disk_loses_lines_and_keeps_the_log_well_formed() {
    let mut writer = Writer::open(&PathBuf::from("/dev/full"), options(0, 1)).expect("/dev/full opens");
    let error = writer.write(Stream::Stdout, b"x\n", 1).expect_err("/dev/full is full");
    assert_eq!(error::Fault::kind(&error), error::Kind::Exhausted);
    assert_eq!(error::chain(&error), "cannot write log /dev/full: No space left on device (os error 28)");
}
