//! The same against certomancer, an authority written by other people than OpenSSL's: its lists, answers, certificates and
//! time stamps are fetched over loopback.

use super::{Case, Desk, World, text, tool};
use hoso::seal::sign::Level;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn another_authority_is_understood_too() {
    let Some(program) = tool("certomancer") else {
        eprintln!("skipped: no certomancer");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let port = crate::playground::free_address().port();
    std::fs::write(at("c.yml"), CONFIG.replace("PORT", &port.to_string())).unwrap();
    std::fs::create_dir(at("keys")).unwrap();
    let run = |program: &std::path::Path, arguments: &str| {
        let out = Command::new(program)
            .args(arguments.split_whitespace())
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(out.status.success(), "{arguments}: {}", text(&out));
    };
    for name in ["root", "inter", "responder", "responder-root", "tsa", "signer"] {
        run("openssl".as_ref(), &format!("ecparam -name prime256v1 -genkey -noout -out keys/{name}.pem"));
        std::fs::copy(at(&format!("keys/{name}.pem")), at(&format!("{name}.key"))).unwrap();
    }
    run(&program, "--config c.yml mass-summon levels certs --flat");
    for name in ["root", "inter", "tsa", "signer"] {
        std::fs::copy(at(&format!("certs/{name}.cert.pem")), at(&format!("{name}.pem"))).unwrap();
    }
    let _server = Server(
        Command::new(&program)
            .args(["--config", "c.yml", "animate", "--port", &port.to_string()])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(120), "certomancer does not start");
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut world = World {
        desk: Arc::new(Desk::new(folder.path())),
        folder,
        runtime: tokio::runtime::Runtime::new().unwrap(),
        nss: None,
        tsa: Some(format!("http://127.0.0.1:{port}/levels/tsa/tsa")),
    };
    world.nss = world.store();
    let stamped = world.sign("signer", false, true);
    let (blt, _) = world.raise(&stamped, Level::BLT).unwrap();
    let (blta, _) = world.raise(&blt, Level::BLTA).unwrap();
    let (renewed, _) = world.renew(&blta).unwrap();
    let (at_once, _) = world.raise(&world.sign_unstamped_by("signer"), Level::BLTA).unwrap();
    let case = |name: &str, pdf, level, stamps| Case { name: name.into(), pdf, levels: vec![level], stamps };
    world.judge(&[
        case("blt", blt, "B-LT", 0),
        case("blta", blta, "B-LTA", 1),
        case("renewed", renewed, "B-LTA", 2),
        case("at-once", at_once, "B-LTA", 1),
    ]);
}

/// Ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const CONFIG: &str = include_str!("certomancer.yml");
