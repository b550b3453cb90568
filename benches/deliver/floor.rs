//! What the machine itself can do, in the same run: no program delivers faster than this.

use super::row;
use openssl::ssl::{SslAcceptor, SslConnector, SslMethod, SslVerifyMode};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(2);

pub(crate) fn measure(folder: Option<&Path>) {
    let dir = folder.map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap();
    let mut file = File::create(dir.path().join("journal")).unwrap();
    let flushes = rate(|| {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
    });
    row(
        "floor: 4 KB written and flushed",
        0.0,
        flushes,
        "/s",
        "one thread; a commit of the ledger needs one",
    );
    let mut number = 0;
    let whole = vec![7u8; 200_000];
    let files = rate(|| {
        number += 1;
        let name = dir.path().join(number.to_string());
        let mut file = File::create(&name).unwrap();
        file.write_all(&whole).unwrap();
        file.sync_all().unwrap();
        std::fs::rename(&name, name.with_extension("pdf")).unwrap();
        File::open(dir.path()).unwrap().sync_all().unwrap();
    });
    row(
        "floor: 200 KB kept as a file",
        0.0,
        files,
        "/s",
        "one thread; written, flushed, named, folder flushed",
    );
    let key = hoso::deliver::wire_key::SigningKey::mint().unwrap();
    let public = key.public().unwrap();
    let pairs = rate(|| {
        let signature = key.sign(b"delivery").unwrap();
        assert!(public.verifies(b"delivery", &signature));
    });
    row("floor: P-256 signed and checked", 0.0, pairs, "/s", "one core; a delivery needs two of each");
    let hashes = rate(|| {
        std::hint::black_box(hoso::digest::Sha256::of(&whole));
    });
    row("floor: SHA-256 of 200 KB", 0.0, hashes, "/s", "one core; a delivery needs it at each end");
    row("floor: 200 KB through TLS", 0.0, tls(&whole), "/s", "loopback, two threads, one connection");
}

fn rate(mut work: impl FnMut()) -> f64 {
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        work();
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

fn tls(whole: &[u8]) -> f64 {
    let (certificate, key) = super::world::certificate();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let length = whole.len();
    let reading = std::thread::spawn(move || {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_certificate(&certificate).unwrap();
        acceptor.set_private_key(&key).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut stream = acceptor.build().accept(stream).unwrap();
        let mut buffer = vec![0; length];
        while stream.read_exact(&mut buffer).is_ok() && stream.write_all(b"!").is_ok() {}
    });
    let mut connector = SslConnector::builder(SslMethod::tls()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    let stream = TcpStream::connect(address).unwrap();
    // The last record of a document must not wait for the acknowledgement of those before it.
    stream.set_nodelay(true).unwrap();
    let mut stream = connector.build().connect("localhost", stream).unwrap();
    let rate = rate(|| {
        stream.write_all(whole).unwrap();
        stream.read_exact(&mut [0]).unwrap();
    });
    drop(stream);
    reading.join().unwrap();
    rate
}
