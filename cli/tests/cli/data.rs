//! Fetching data sets.

use crate::command::{fail, succeed};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

fn fetch<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["data", "fetch", name], more].concat()
}

#[test]
fn sets_are_listed_with_their_sums() {
    let text = succeed(Path::new("."), &["data", "list"]);
    for name in ["mnist", "fashion-mnist", "cifar10", "cifar100", "tiny-imagenet", "n-mnist", "cifar10-dvs"] {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).expect(name);
        assert!(line.contains(" of its authors") || line.contains(" of common libraries"), "{line}");
    }
    assert!(
        text.contains("n-cars: download it from https://") && text.contains("dvs-gesture: download"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_fetched_is_said() {
    let place = tempfile::tempdir().unwrap();
    let unknown = fail(place.path(), &fetch("cifar11", &[]));
    assert!(unknown.contains("cifar11: is no data set that is known; `empf data list`"), "{unknown}");
    let by_hand = fail(place.path(), &fetch("n-cars", &[]));
    assert!(
        by_hand.contains("n-cars: cannot be fetched, only downloaded by hand from https://"),
        "{by_hand}"
    );
}

#[test]
fn without_a_network_the_way_by_hand_is_said() {
    let place = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mirror = format!("http://{closed}/sets/");
    let error = fail(place.path(), &fetch("cifar10", &["--mirror", &mirror, "-o", "here"]));
    let start = format!("error: {mirror}cifar-10-binary.tar.gz: cannot reach {closed}: ");
    assert!(
        error.starts_with(&start) && error.ends_with("download it by hand as here/cifar-10-binary.tar.gz")
    );
}

#[test]
fn a_mirror_with_another_file_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mirror = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let asked = BufReader::new(&stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
        let asked: Vec<String> = asked.collect();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nother").unwrap();
        asked[0].clone()
    });
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("here")).unwrap();
    let error = fail(place.path(), &fetch("mnist", &["--mirror", &mirror, "-o", "here"]));
    assert!(
        error.contains("has the MD5 sum 795f3202b17cb6bc3d4b771d8c6c9eaf, not f68b3c2dcbeaaa"),
        "{error}"
    );
    assert_eq!(server.join().unwrap(), "GET /train-images-idx3-ubyte.gz HTTP/1.1");
}
