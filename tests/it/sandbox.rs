//! The decoders' box tried from inside and from outside. The child is this very test program, started as [`inmate`]:
//! it locks itself in as a decoder does and then tries what its request names.

use crate::playground::{HOSO, files, samples};
use hoso::fault::Fault;
use hoso::sandbox::{self, Answer, Landlock, Policy, Pool, Program, Request};
use hoso::scan::reader::Answering;
use hoso::scan::{Limits, Profile, Reader, barcode};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn it_opens_no_file_and_learns_of_none() {
    let pool = pool(Policy::default());
    for what in ["read a file", "make a file", "list a folder", "ask for a file's size", "make a memory file"]
    {
        assert_eq!(tries(&pool, what), Ok("PermissionDenied".into()), "{what}");
    }
    assert!(!fs::exists(escaped()).unwrap());
}

#[test]
fn it_reads_the_file_that_it_was_given_and_writes_to_nothing() {
    let pool = pool(Policy::default());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"what a page may be").unwrap();
    for (what, outcome) in [
        ("read the given file", "what a page may be"),
        ("move in the given file", "PermissionDenied"),
        ("write to the given file", "PermissionDenied"),
        ("write to standard output", "PermissionDenied"),
    ] {
        let request = Request { header: what.as_bytes(), file: Some((7, file.as_fd())), most_payload: 0 };
        assert_eq!(pool.ask(&request, text), Ok(outcome.into()), "{what}");
    }
    let mut one = [0];
    file.read_exact_at(&mut one, 0).unwrap();
    assert_eq!(&one, b"w");
}

#[test]
fn it_reads_nothing_that_was_open_before() {
    let pool = pool(Policy::default());
    for what in ["read what was left open", "number it anew"] {
        assert_eq!(tries(&pool, what), Ok("PermissionDenied".into()), "{what}");
    }
}

#[test]
fn it_connects_to_nobody() {
    let pool = pool(Policy::default());
    for what in ["connect by TCP", "connect to a unix socket", "listen", "send a datagram"] {
        assert_eq!(tries(&pool, what), Err("BOX-001 signal 31, it tried what is forbidden".into()), "{what}");
    }
}

#[test]
fn it_starts_no_process_and_no_thread() {
    let pool = pool(Policy::default());
    for what in ["fork", "start a thread"] {
        let said = tries(&pool, what);
        assert!(
            ["PermissionDenied", "WouldBlock"].map(|s| Ok(s.to_owned())).contains(&said),
            "{what}: {said:?}"
        );
    }
    let killed = Err("BOX-001 signal 31, it tried what is forbidden".to_owned());
    assert_eq!(tries(&pool, "exec"), killed);
}

#[test]
fn it_touches_no_other_process() {
    let pool = pool(Policy::default());
    let killed = Err("BOX-001 signal 31, it tried what is forbidden".to_owned());
    assert_eq!(tries(&pool, "ptrace its parent"), killed);
    assert_eq!(tries(&pool, "take a file of its parent"), killed);
    assert_eq!(tries(&pool, "end its parent"), Ok("PermissionDenied".into()));
    assert_eq!(tries(&pool, "see whether its parent lives"), Ok("PermissionDenied".into()));
}

#[test]
fn it_cannot_widen_its_own_limits() {
    let pool = pool(Policy::default());
    assert_eq!(tries(&pool, "raise a limit"), Ok("PermissionDenied".into()));
    assert_eq!(tries(&pool, "stay when its parent ends"), Ok("PermissionDenied".into()));
}

#[test]
fn memory_beyond_the_limit_is_one_failed_request() {
    let pool = pool(Policy { memory_bytes: 256 << 20, ..Policy::default() });
    assert_eq!(tries(&pool, "take 300 MiB"), Err("BOX-003 at most 256 MiB".into()));
    assert_eq!(tries(&pool, "take 30 MiB"), Ok("31457280".into()));
}

#[test]
fn an_endless_loop_is_one_failed_request() {
    let pool = pool(Policy { request: Duration::from_millis(1_500), ..Policy::default() });
    let start = Instant::now();
    assert_eq!(tries(&pool, "loop"), Err("BOX-002 1.5 s".into()));
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(tries(&pool, "nothing"), Ok("done".into()));
}

#[test]
fn a_crash_is_one_failed_request_and_says_how_it_died() {
    let pool = pool(Policy::default());
    assert_eq!(tries(&pool, "recurse"), Err("BOX-001 its stack ran over".into()));
    assert_eq!(tries(&pool, "abort"), Err("BOX-001 signal 6".into()));
    assert_eq!(tries(&pool, "exit"), Err("BOX-001 exit code 9".into()));
    assert_eq!(tries(&pool, "nothing"), Ok("done".into()));
}

#[test]
fn an_answer_that_is_too_long_or_makes_no_sense_is_one_failed_request() {
    let pool = pool(Policy::default());
    assert_eq!(tries(&pool, "answer at length"), Err("BOX-005 a length that it may not send".into()));
    let request = Request { header: b"nothing", file: None, most_payload: 0 };
    let fault = pool.ask(&request, |_| None::<()>).unwrap_err();
    assert_eq!(fault.code.id, "BOX-005");
    assert_eq!(tries(&pool, "hang up and go on"), Err("BOX-005 it closed its end and went on".into()));
}

#[test]
fn who_dies_of_an_earlier_request_does_not_fail_the_next() {
    let pool = pool(Policy::default());
    // One child: the second request meets what the first left behind, and is asked again of a new one.
    assert_eq!(tries(&pool, "die at the next request"), Ok("done".into()));
    assert_eq!(tries(&pool, "nothing"), Ok("done".into()));
}

#[test]
fn a_child_that_has_the_file_is_not_given_it_again_and_a_new_one_is() {
    let pool = pool(Policy { requests: 3, ..Policy::default() });
    let file = tempfile::tempfile().unwrap();
    let mut given = Vec::new();
    for number in [1, 1, 1, 1, 2, 1] {
        let request =
            Request { header: b"was a file given", file: Some((number, file.as_fd())), most_payload: 0 };
        given.push(pool.ask(&request, text).unwrap() == "yes");
    }
    assert_eq!(given, [true, false, false, true, true, true]);
}

#[test]
fn no_child_is_left_when_its_parent_is_killed_at_work() {
    let mut keeper = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "sandbox::keeper", "--nocapture"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .env("HOSO_TEST_KEEPER", "1")
        .spawn()
        .unwrap();
    let children = wait_for(|| Some(children_of(keeper.id())).filter(|c| c.len() == 2));
    let alive = |pid: &u32| fs::exists(format!("/proc/{pid}")).unwrap() && children_of(1).contains(pid);
    keeper.kill().unwrap();
    keeper.wait().unwrap();
    wait_for(|| (!children.iter().any(alive)).then_some(()));
}

#[test]
fn a_pool_takes_its_children_with_it() {
    // In a process of its own: the tests beside this one start and bury children too.
    let Program { path, args } = child("sandbox::owner");
    let owner =
        Command::new(path).args(args).stdin(Stdio::null()).env("HOSO_TEST_OWNER", "1").output().unwrap();
    assert!(owner.status.success(), "{owner:?}");
}

#[test]
fn a_child_says_what_holds_it() {
    let jailed = pool(Policy::default()).jailed().unwrap();
    assert!(jailed.seccomp && jailed.rlimits, "{jailed:?}");
    eprintln!("{jailed:?}");
    assert!(matches!(jailed.landlock, Landlock::Full | Landlock::Partial | Landlock::None));
}

#[test]
fn starting_a_real_decoder_is_told_in_milliseconds() {
    let program = Program { path: HOSO.into(), args: vec![sandbox::COMMAND.into()] };
    let mut took: Vec<f64> = (0..20)
        .map(|_| {
            let start = Instant::now();
            Pool::of(program.clone(), 1, Policy::default()).jailed().unwrap();
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    eprintln!("start to ready and away again: {:.1} ms median, {:.1} ms slowest", took[10], took[19]);
}

#[test]
fn a_file_that_ends_its_decoder_is_one_failed_file_and_the_others_are_read() {
    let program = child("sandbox::brittle_decoder");
    let policy = Policy { request: Duration::from_secs(10), memory_bytes: 512 << 20, ..Policy::default() };
    let reader = Reader::boxed(Arc::new(Pool::of(program, 2, policy)));
    let good = fs::read(samples().join("intake/batch-1/scan_0001.jpg")).unwrap();
    let limits = Limits::default();
    let here = Reader::here().open(good.clone(), &limits).unwrap();
    for (bad, code) in [("recurse", "BOX-001"), ("loop", "BOX-002"), ("take 600 MiB", "BOX-003")] {
        let fault = reader.open(bad.as_bytes(), &limits).map(|_| ()).unwrap_err();
        assert_eq!(fault.code.id, code, "{fault}");
        let sheaf = reader.open(good.clone(), &limits).unwrap();
        assert_eq!(sheaf.pages(), here.pages());
        assert_eq!(sheaf.page_image(1), here.page_image(1));
    }
    // Where nothing is optimised a page takes longer than the loop above may.
    let program = child("sandbox::brittle_decoder");
    let reader = Reader::boxed(Arc::new(Pool::of(program, 2, Policy::default())));
    let sheaf = reader.open(good, &limits).unwrap();
    // One format: the search for all takes its time where nothing is optimised.
    let codes = barcode::Policy { formats: vec![barcode::Format::QRCode], ..barcode::Policy::default() };
    let (profile, codes) = (Profile::default(), Some(codes));
    let judged = std::thread::scope(|scope| {
        let judge = || scope.spawn(|| sheaf.judge(1, &profile, codes.as_ref()));
        [judge(), judge(), judge()].map(|thread| thread.join().unwrap())
    });
    for judged in judged {
        assert_eq!(judged, here.judge(1, &profile, codes.as_ref()));
    }
}

#[test]
fn a_file_that_ends_every_decoder_is_given_up_before_it_has_cost_many() {
    let program = child("sandbox::brittle_decoder");
    let reader = Reader::boxed(Arc::new(Pool::of(program, 1, Policy::default())));
    // Three pages of a chain; the stand-in dies whenever one of them is to be judged.
    let sheaf = reader
        .open(fs::read(samples().join("intake/batch-2/fax_20261121_0815.tif")).unwrap(), &Limits::default())
        .unwrap();
    let profile = Profile { min_dpi: 13.0, ..Profile::default() };
    let codes: Vec<&str> = (0..5).map(|_| sheaf.judge(1, &profile, None).unwrap_err().code.id).collect();
    assert_eq!(codes, ["BOX-001", "BOX-001", "BOX-001", "SCAN-055", "SCAN-055"]);
}

#[test]
fn decoders_that_are_killed_under_a_scan_cost_pages_and_never_the_scan() {
    let folder = samples().join("intake");
    let mut scan = Command::new(HOSO);
    scan.args(["scan", "--json", "--jobs", "2"]).arg(&folder).stdout(Stdio::piped()).stderr(Stdio::null());
    let scan = scan.spawn().unwrap();
    let pid = scan.id();
    let killer = std::thread::spawn(move || {
        let mut killed = 0;
        for _ in 0..12 {
            std::thread::sleep(Duration::from_millis(120));
            let child =
                children_of(pid).first().copied().and_then(|c| rustix::process::Pid::from_raw(c as i32));
            let signal =
                if killed % 2 == 0 { rustix::process::Signal::SEGV } else { rustix::process::Signal::KILL };
            killed +=
                child.map_or(0, |child| i32::from(rustix::process::kill_process(child, signal).is_ok()));
        }
        killed
    });
    let output = scan.wait_with_output().unwrap();
    let killed = killer.join().unwrap();
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let bad: Vec<_> = lines.iter().filter_map(|l| l["error"]["code"].as_str()).collect();
    eprintln!("{killed} decoders killed under {} pages; failed: {bad:?}", lines.len());
    assert!(bad.iter().all(|code| ["BOX-001", "BOX-007"].contains(code)), "{bad:?}");
    assert_eq!(output.status.code(), Some(i32::from(!bad.is_empty())));
    let page = |path: &PathBuf| {
        ["jpg", "tif", "png", "pdf"].iter().any(|e| path.extension().is_some_and(|x| x == *e))
    };
    let count = files(&folder).iter().filter(|path| page(path)).count();
    assert!(lines.len() >= count, "{} lines for {count} files", lines.len());
    let mut in_order: Vec<&str> = lines.iter().map(|l| l["file"].as_str().unwrap()).collect();
    in_order.dedup();
    assert!(in_order.is_sorted() && in_order.len() == count, "{in_order:?}");
}

#[test]
fn bombs_are_refused_by_name_and_cost_the_child_next_to_nothing() {
    let program = Program { path: HOSO.into(), args: vec![sandbox::COMMAND.into()] };
    let limits = Limits::default();
    for (name, bytes, code) in bombs() {
        let reader = Reader::boxed(Arc::new(Pool::of(program.clone(), 1, Policy::default())));
        reader.jailed().unwrap();
        // Other tests start theirs too; ours is the one that runs the real program and is still there afterwards.
        let mine: Vec<u32> =
            children_of(std::process::id()).into_iter().filter(|pid| is_real(*pid)).collect();
        let before: Vec<u64> = mine.iter().map(|pid| peak_kib(*pid)).collect();
        let start = Instant::now();
        let opened = reader.open(bytes, &limits);
        let fault =
            opened.and_then(|sheaf| sheaf.judge(1, &Profile::default(), None).map(|_| ())).unwrap_err();
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        assert_eq!(fault.code.id, code, "{name}: {fault}");
        let after: Vec<u64> = mine.iter().map(|pid| peak_kib(*pid)).collect();
        eprintln!("{name}: {code} in {ms:.1} ms, children {before:?} -> {after:?} KiB at their peaks");
        for (before, after) in before.into_iter().zip(after) {
            assert!(after < before + (20 << 10), "{name}: {before} -> {after} KiB");
        }
    }
}

/// Files of a few bytes that declare very many.
fn bombs() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    png.extend([0, 0, 0x50, 0, 0, 0, 0x50, 0, 8, 0, 0, 0, 0]);
    let crc = png_crc(&png[12..]);
    png.extend(crc.to_be_bytes());
    png.extend(b"\0\0\0\0IDAT");
    png.extend(png_crc(b"IDAT").to_be_bytes());
    png.extend(b"\0\0\0\0IEND");
    png.extend(png_crc(b"IEND").to_be_bytes());
    let entry = |tag: u16, kind: u16, value: u32| {
        let mut bytes = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
        bytes
    };
    let page = |side: u32, next: u32| {
        let mut bytes = 8u16.to_le_bytes().to_vec();
        for (tag, value) in
            [(256, side), (257, side), (258, 8), (259, 8), (262, 1), (273, 8), (278, side), (279, 64)]
        {
            bytes.extend(entry(tag, 4, value));
        }
        bytes.extend(next.to_le_bytes());
        bytes
    };
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    tiff.extend(page(32_768, 0));
    tiff.extend([0; 33_000]);
    let mut chain = b"II*\0\x08\0\0\0".to_vec();
    for number in 1..65_535u32 {
        chain.extend(page(8, 8 + number * 102));
    }
    chain.extend(page(8, 0));
    let mut jpeg = fs::read(samples().join("intake/batch-1/scan_0001.jpg")).unwrap();
    let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0] || w == [0xFF, 0xC2]).unwrap();
    for at in [frame + 5, frame + 7] {
        jpeg[at..at + 2].copy_from_slice(&35_000u16.to_be_bytes());
    }
    vec![
        ("PNG of 400 MiB", png, "SCAN-013"),
        ("TIFF of 1 GiB", tiff, "SCAN-013"),
        ("TIFF of 65,535 pages", chain, "SCAN-011"),
        ("JPEG of 35,000 by 35,000", jpeg, "SCAN-013"),
    ]
}

/// CRC-32 of ISO 3309, as PNG has it.
fn png_crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xEDB8_8320 } else { c >> 1 })
    })
}

/// Whether a child runs the program under test, which calls itself so.
fn is_real(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line == b"hoso\0decoder\0"
}

/// The most memory that a process ever had.
fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// The child of the tests above.
#[test]
#[ignore = "started by the other tests as their child"]
fn inmate() {
    let mut given: Option<OwnedFd> = None;
    let mut doomed = false;
    let parent = nix::unistd::getppid();
    let left_open = File::open("/etc/passwd").unwrap();
    let _ = sandbox::serve(|header, file| {
        assert!(!doomed);
        let was_given = file.is_some();
        given = file.or(given.take());
        let what = String::from_utf8(header.to_vec()).unwrap();
        doomed = what == "die at the next request";
        let header = match what.as_str() {
            "was a file given" => if was_given { "yes" } else { "no" }.to_owned(),
            "answer at length" => return Answer { header: vec![], payload: vec![0; 1 << 20] },
            "read what was left open" => {
                let read = left_open.read_at(&mut [0], 0).map(|_| "read".to_owned());
                read.unwrap_or_else(|e| format!("{:?}", e.kind()))
            }
            "number it anew" => {
                let again = left_open.try_clone().map(|_| "numbered".to_owned());
                again.unwrap_or_else(|e| format!("{:?}", e.kind()))
            }
            _ => attempt(&what, given.as_ref().map(|f| File::from(f.try_clone().unwrap())), parent),
        };
        Answer { header: header.into_bytes(), payload: vec![] }
    });
}

/// A decoder that does what a file says where it is not a page, and dies where a page is to have 13 dpi.
#[test]
#[ignore = "started by the other tests as their child"]
fn brittle_decoder() {
    let mut answering = Answering::default();
    let parent = nix::unistd::getppid();
    let _ = sandbox::serve(|header, file| {
        let file = file.map(File::from);
        let mut start = [0; 16];
        let length = file.as_ref().map_or(0, |f| f.read_at(&mut start, 0).unwrap());
        if let Ok(what @ ("loop" | "recurse" | "take 600 MiB")) = std::str::from_utf8(&start[..length]) {
            attempt(what, None, parent);
        }
        assert!(!String::from_utf8_lossy(header).contains("\"min_dpi\":13.0"));
        answering.answer(header, file.map(OwnedFd::from))
    });
}

/// A process with a pool whose children never come to an end.
#[test]
#[ignore = "started by another test as its child"]
fn keeper() {
    if std::env::var_os("HOSO_TEST_KEEPER").is_none() {
        return;
    }
    let pool = Pool::of(inmates(), 2, Policy { request: Duration::from_secs(60), ..Policy::default() });
    std::thread::scope(|scope| {
        scope.spawn(|| tries(&pool, "loop"));
        scope.spawn(|| tries(&pool, "loop"));
    });
}

/// A process that has a pool, and after it no child, alive or unburied.
#[test]
#[ignore = "started by another test as its child"]
fn owner() {
    if std::env::var_os("HOSO_TEST_OWNER").is_none() {
        return;
    }
    let of_mine = || processes().into_values().filter(|(of, _)| *of == std::process::id()).count();
    let pool = pool(Policy::default());
    assert_eq!(tries(&pool, "nothing"), Ok("done".into()));
    assert_eq!(of_mine(), 1);
    drop(pool);
    assert_eq!(of_mine(), 0);
}

fn attempt(what: &str, given: Option<File>, parent: nix::unistd::Pid) -> String {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let done = |()| "done".to_owned();
    let tried: std::io::Result<String> = match what {
        "nothing" | "die at the next request" => Ok("done".into()),
        "read a file" => fs::read("/etc/passwd").map(|_| "read".into()),
        "make a file" => fs::write(escaped(), "out").map(done),
        "list a folder" => fs::read_dir("/").map(|_| "listed".into()),
        "ask for a file's size" => fs::metadata("/etc/passwd").map(|_| "told".into()),
        "make a memory file" => rustix::fs::memfd_create("x", rustix::fs::MemfdFlags::empty())
            .map(|_| "made".into())
            .map_err(Into::into),
        "read the given file" => {
            let mut bytes = vec![0; 18];
            given.unwrap().read_exact_at(&mut bytes, 0).map(|()| text(bytes))
        }
        "move in the given file" => given.unwrap().read(&mut [0]).map(|_| "moved".into()),
        "write to the given file" => given.unwrap().write_all(b"x").map(done),
        "write to standard output" => {
            rustix::io::write(std::io::stdout().as_fd(), b"x").map(|_| "written".into()).map_err(Into::into)
        }
        "connect by TCP" => TcpStream::connect("127.0.0.1:9").map(|_| "connected".into()),
        "connect to a unix socket" => UnixStream::connect("/run/x").map(|_| "connected".into()),
        "listen" => TcpListener::bind("127.0.0.1:0").map(|_| "listens".into()),
        "send a datagram" => UdpSocket::bind("127.0.0.1:0").map(|_| "bound".into()),
        "fork" => Command::new("/bin/true").spawn().map(|_| "forked".into()),
        "start a thread" => std::thread::Builder::new().spawn(|| ()).map(|_| "started".into()),
        "exec" => nix::unistd::execv(c"/bin/true", &[c"true"]).map(|_| "started".into()).map_err(Into::into),
        "ptrace its parent" => nix::sys::ptrace::attach(parent).map(done).map_err(Into::into),
        "take a file of its parent" => {
            // Only the call itself counts: no number here is a process's.
            let flags = rustix::process::PidfdGetfdFlags::empty();
            rustix::process::pidfd_getfd(std::io::stdin().as_fd(), 0, flags)
                .map(|_| "taken".into())
                .map_err(Into::into)
        }
        "end its parent" => {
            nix::sys::signal::kill(parent, nix::sys::signal::SIGTERM).map(done).map_err(Into::into)
        }
        "see whether its parent lives" => nix::sys::signal::kill(parent, None).map(done).map_err(Into::into),
        "raise a limit" => {
            let wide = rustix::process::Rlimit { current: None, maximum: None };
            rustix::process::setrlimit(rustix::process::Resource::As, wide).map(done).map_err(Into::into)
        }
        "stay when its parent ends" => {
            rustix::process::set_parent_process_death_signal(None).map(done).map_err(Into::into)
        }
        "take 300 MiB" => Ok(std::hint::black_box(vec![1_u8; 300 << 20]).len().to_string()),
        "take 600 MiB" => Ok(std::hint::black_box(vec![1_u8; 600 << 20]).len().to_string()),
        "take 30 MiB" => Ok(std::hint::black_box(vec![1_u8; 30 << 20]).len().to_string()),
        "loop" => loop {
            std::hint::spin_loop();
        },
        "recurse" => Ok(recurse(u64::MAX).to_string()),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(9),
        "hang up and go on" => {
            nix::unistd::close(0).unwrap();
            loop {
                std::hint::spin_loop();
            }
        }
        other => panic!("{other}"),
    };
    tried.unwrap_or_else(|e| format!("{:?}", e.kind()))
}

#[expect(unconditional_recursion, reason = "until the stack ends")]
fn recurse(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 64]);
    recurse(here[7].wrapping_sub(1)).wrapping_add(std::hint::black_box(here)[5])
}

fn inmates() -> Program {
    child("sandbox::inmate")
}

/// This program as a child that runs one of the tests which are ignored.
fn child(test: &str) -> Program {
    let args = ["--ignored", "--exact", test, "--nocapture", "--test-threads=1"];
    Program { path: std::env::current_exe().unwrap(), args: args.map(str::to_owned).to_vec() }
}

fn pool(policy: Policy) -> Pool {
    Pool::of(inmates(), 1, policy)
}

fn text(answer: Answer) -> Option<String> {
    String::from_utf8(answer.header).ok()
}

/// What a child says of its attempt, or the fault that the attempt was.
fn tries(pool: &Pool, what: &str) -> Result<String, String> {
    let told = |f: Fault| format!("{} {}", f.code.id, f.detail.unwrap_or_default()).trim().to_owned();
    pool.ask(&Request { header: what.as_bytes(), file: None, most_payload: 0 }, text).map_err(told)
}

fn escaped() -> PathBuf {
    std::env::temp_dir().join("hoso-escaped-from-the-box")
}

fn wait_for<T>(mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Process, parent and state of all processes.
fn processes() -> BTreeMap<u32, (u32, char)> {
    let stat = |entry: fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.chars().next()?;
        Some((pid, (fields.next()?.parse().ok()?, state)))
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(stat).collect()
}

fn children_of(parent: u32) -> Vec<u32> {
    processes()
        .into_iter()
        .filter(|(_, (of, state))| *of == parent && *state != 'Z')
        .map(|(pid, _)| pid)
        .collect()
}
