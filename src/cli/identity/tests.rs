//! The command as it is called: its exit codes, and what it leaves behind.

use super::*;
use crate::chip::verdict::tests::hand::right;
use crate::chip::verdict::tests::world::world;
use clap::Parser as _;

#[derive(clap::Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// Readings in a folder of their own, and the exit code of the command on them.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Desk(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, json: &str) {
        std::fs::write(self.0.path().join(name), json).unwrap();
    }

    fn exit(&self, arguments: &str) -> u8 {
        self.run(&format!("verify {arguments}")).unwrap()
    }

    fn run(&self, line: &str) -> Outcome<u8> {
        let world = world().path("").display().to_string();
        let here = self.0.path().display().to_string();
        let words = line.split(' ').map(|w| w.replace("W:", &world).replace("D:", &format!("{here}/")));
        let line = Line::try_parse_from(["identity".to_owned()].into_iter().chain(words));
        run(&line.map_err(|e| e.to_string()).unwrap().command)
    }
}

#[test]
fn exit_codes_are_conclusions_and_a_fault_is_one() {
    let desk = Desk::new();
    let genuine = world().mint("ds", &["--aa-key", "aa.key"]);
    desk.put("genuine", &genuine.to_json());
    desk.put("unchecked", &world().forge(&right()).to_json());
    desk.put("forged", &world().mint("ds", &["--tamper", "1"]).to_json());
    desk.put("revoked", &world().mint("revoked", &[]).to_json());
    desk.put("text", "no reading");
    desk.put("version", r#"{"version":2}"#);
    desk.put("bare", r#"{"version":1,"files":{"DG1":"AA=="}}"#);
    let large = format!(r#"{{"version":1,"files":{{"SOD":"{}"}}}}"#, "A".repeat(100_000));
    desk.put("large", &large);
    let mut malformed = genuine.clone();
    malformed.files.insert(FileId::Sod, vec![0x30, 0x80]);
    desk.put("malformed", &malformed.to_json());
    for (arguments, expected) in [
        ("D:genuine --anchors W:anchors", 0),
        ("D:genuine --anchors W:anchors --json", 0),
        ("D:unchecked --anchors W:anchors", 3),
        ("D:genuine", 4),
        ("D:malformed --anchors W:anchors", 4),
        ("D:large --anchors W:anchors", 4),
        ("D:bare --anchors W:anchors --json", 4),
        ("D:genuine --anchors W:anchors --at 2000-01-01T00:00:00Z", 4),
        ("D:revoked --anchors W:anchors", 3),
        ("D:revoked --anchors W:anchors --crl W:crls-only", 4),
        ("D:forged --anchors W:anchors", 5),
        ("D:forged", 5),
        ("D:genuine --anchors W:anchors --require 7", 4),
        ("D:text --anchors W:anchors", 1),
        ("D:version", 1),
        ("D:absent", 1),
        ("D:genuine --anchors W:nowhere", 1),
        ("D:genuine --anchors W:anchors --crl W:nowhere", 1),
        ("D:genuine --anchors W:anchors --crl W:anchors", 1),
        ("D:genuine --anchors W:anchors --qr D:text", 1),
        ("D:genuine --anchors W:anchors --typed D:text", 1),
        ("D:genuine D:unchecked --anchors W:anchors", 3),
        ("D:genuine D:unchecked D:malformed --anchors W:anchors", 4),
        ("D:malformed D:text --anchors W:anchors", 1),
        ("D:text D:forged D:genuine --anchors W:anchors --json", 5),
    ] {
        assert_eq!(desk.exit(arguments), expected, "{arguments}");
    }
    assert_eq!(
        std::fs::read_dir(desk.0.path()).unwrap().count(),
        9,
        "the command writes no file, least of all a face"
    );
}

#[test]
fn a_reading_that_is_made_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    let dump = desk.0.path().join("dump");
    std::fs::create_dir(&dump).unwrap();
    let reading = world().mint("ds", &[]);
    std::fs::write(dump.join("SOD.bin"), &reading.files[&FileId::Sod]).unwrap();
    std::fs::write(dump.join("DG2.bin"), reading.dg(2).unwrap()).unwrap();
    assert_eq!(desk.run("reading --from D:dump -o D:made.json").unwrap(), 0);
    let made = desk.0.path().join("made.json");
    assert_eq!(std::fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(Reading::parse(&std::fs::read(&made).unwrap()).is_ok());
    let fault = desk.run("reading --from D:dump -o D:no/such/file").unwrap_err();
    assert_eq!(fault.code.id, "CHIP-032");
}

#[test]
fn a_face_is_shown_on_the_same_demands_as_a_reading_is_called_genuine_on() {
    let desk = Desk::new();
    desk.put("revoked", &world().mint("revoked", &[]).to_json());
    desk.put("genuine", &world().mint("ds", &["--aa-key", "aa.key"]).to_json());
    for (reading, demand) in [("revoked", "--crl W:crls-only"), ("genuine", "--require 7")] {
        let line = format!("portrait D:{reading} --anchors W:anchors {demand} -o D:face.png");
        assert_eq!(desk.run(&line).unwrap_err().code.id, "CHIP-070", "{demand}");
    }
    assert!(!desk.0.path().join("face.png").exists());
}

#[test]
fn a_certificate_among_revocation_lists_never_becomes_an_anchor() {
    let desk = Desk::new();
    desk.put("genuine", &world().mint("ds", &["--aa-key", "aa.key"]).to_json());
    let [list, authority] = ["crls-only/vn.crl", "anchors/vn.pem"]
        .map(|name| std::fs::read_to_string(world().path(name)).unwrap());
    std::fs::create_dir(desk.0.path().join("lists")).unwrap();
    for bundle in [format!("{list}{authority}"), format!("{authority}{list}")] {
        desk.put("lists/bundle.pem", &bundle);
        assert_eq!(desk.exit("D:genuine --crl D:lists"), 4);
        assert_eq!(desk.exit("D:genuine --anchors W:anchors --crl D:lists"), 0);
    }
}

#[test]
fn of_several_readings_the_worst_counts() {
    for (codes, expected) in
        [(&[0u8, 0][..], 0), (&[0, 3], 3), (&[3, 4, 0], 4), (&[4, 1, 0], 1), (&[1, 5, 4], 5), (&[], 0)]
    {
        assert_eq!(worst(codes), expected);
    }
}

#[test]
fn chip_files_are_known_by_the_names_that_readers_give_them() {
    for (name, id) in [
        ("EF_SOD.bin", FileId::Sod),
        ("SOD", FileId::Sod),
        ("EF.COM", FileId::Com),
        ("Datagroup15.bin", FileId::Dg(15)),
        ("DG1.bin", FileId::Dg(1)),
        ("EF_DG13.bin", FileId::Dg(13)),
        ("ef.cardaccess", FileId::CardAccess),
    ] {
        assert_eq!(file_id(name), Some(id), "{name}");
    }
    assert_eq!((file_id("DG17.bin"), file_id("notes.txt"), file_id("DG.bin")), (None, None, None));
}
