//! Personalises a card: made-up person, training authority, keys and signatures by the OpenSSL command line.

use super::chip::{ActiveKey, COM, Chip, ChipKey, SOD, dg};
use super::pace::GENERIC_MAPPING;
use super::proofs::AGREEMENT;
use super::suite::Suite;
use super::tlv::{integer, oid, tlv};
use openssl::ec::EcKey;
use openssl::hash::MessageDigest;
use openssl::rsa::Rsa;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A country's signing authority and its document signer, in a folder; `anchors/` in it holds the authority alone.
pub(crate) struct Issuer {
    folder: PathBuf,
}

/// What a card shall be able to do.
#[derive(Clone)]
pub(crate) struct Order {
    /// Suite and number of the curve.
    pub(crate) pace: Vec<(Suite, u8)>,
    /// Whether EF.CardAccess names the curve (some issuers leave it out).
    pub(crate) names_parameters: bool,
    pub(crate) bac: bool,
    pub(crate) active: Option<Active>,
    pub(crate) agreements: Vec<Agreement>,
    /// Whether DG14 and DG15 give the curve by its name, where Doc 9303 wants its parameters spelled out.
    pub(crate) named_curves: bool,
    /// About how many bytes DG2 has.
    pub(crate) portrait: usize,
}

/// Kind of the key of active authentication.
#[derive(Clone, Copy)]
pub(crate) enum Active {
    /// RSA of so many bits and this hash.
    Rsa(u32, Hash),
    /// The curve of this number and this hash.
    Ec(u8, Hash),
}

/// Hashes that chips use.
#[derive(Clone, Copy)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha384,
}

/// A key of chip authentication.
#[derive(Clone, Copy)]
pub(crate) struct Agreement {
    pub(crate) suite: Suite,
    pub(crate) curve: u8,
    pub(crate) id: Option<u8>,
}

/// The holder, as typed at a desk; nobody's card.
pub(crate) const NUMBER: &str = "090123456";
pub(crate) const BIRTH: &str = "900115";
pub(crate) const EXPIRY: &str = "350115";
pub(crate) const CAN: &str = "123456";
/// His twelve digits and his name, as DG13 has them.
pub(crate) const PERSONAL_NUMBER: &str = "001090123456";
pub(crate) const NAME: &str = "Nguyễn Văn An";

impl Default for Order {
    fn default() -> Self {
        Order {
            pace: vec![(Suite::Aes128, 13)],
            names_parameters: true,
            bac: true,
            active: Some(Active::Ec(12, Hash::Sha256)),
            agreements: vec![Agreement { suite: Suite::Aes128, curve: 13, id: None }],
            named_curves: false,
            portrait: 15_000,
        }
    }
}

impl Issuer {
    /// Makes the keys and certificates, once for a folder.
    pub(crate) fn new(folder: &Path) -> Issuer {
        let issuer = Issuer { folder: folder.to_owned() };
        if !issuer.anchors().is_dir() {
            fs::create_dir_all(folder).unwrap();
            issuer.shell(
                "openssl ecparam -name brainpoolP384r1 -param_enc explicit -genkey -noout -out csca.key
                openssl req -x509 -new -key csca.key -sha384 -days 3650 -subj '/C=VN/O=TEST ONLY/CN=TEST CSCA' \
                  -addext keyUsage=critical,keyCertSign,cRLSign -out csca.pem
                openssl ecparam -name brainpoolP256r1 -param_enc explicit -genkey -noout -out ds.key
                openssl req -new -key ds.key -subj '/C=VN/O=TEST ONLY/CN=TEST DS 1' -out ds.csr
                printf 'keyUsage=critical,digitalSignature\\nauthorityKeyIdentifier=keyid\\n' >ds.ext
                openssl x509 -req -in ds.csr -CA csca.pem -CAkey csca.key -CAcreateserial -sha384 -days 900 \
                  -extfile ds.ext -out ds.pem
                mkdir anchors
                cp csca.pem anchors/",
            );
        }
        issuer
    }

    /// The folder for `--anchors`.
    pub(crate) fn anchors(&self) -> PathBuf {
        self.folder.join("anchors")
    }

    /// A card of its own, with keys that no other has.
    pub(crate) fn card(&self, order: &Order) -> Chip {
        let dgs = self.folder.join("dgs");
        let _ = fs::remove_dir_all(&dgs);
        fs::create_dir(&dgs).unwrap();
        let mut groups = BTreeMap::from([(1, dg1()), (2, dg2(order.portrait)), (3, dg3()), (13, dg13())]);

        let mut infos = Vec::new();
        let mut chip_keys = Vec::new();
        for agreement in &order.agreements {
            let spki = self.ec_key("ca", agreement.curve, order.named_curves);
            let id = agreement.id.map(integer).unwrap_or_default();
            infos.push(tlv(0x30, &[&tlv(6, &[&oid("0.4.0.127.0.7.2.2.1.2")]), &spki, &id]));
            let protocol = oid(&format!("{AGREEMENT}.{}", agreement.suite.arc()));
            infos.push(tlv(0x30, &[&tlv(6, &[&protocol]), &integer(1), &id]));
            let key = EcKey::private_key_from_pem(&self.file("ca.key")).unwrap();
            let secret = key.private_key().to_owned().unwrap();
            chip_keys.push(ChipKey {
                suite: agreement.suite,
                id: agreement.id,
                curve: agreement.curve,
                secret,
            });
        }
        let active_key = order.active.map(|active| match active {
            Active::Rsa(bits, hash) => {
                self.shell(&format!(
                    "openssl genrsa -out aa.key {bits}; openssl pkey -in aa.key -pubout -outform DER -out aa.der"
                ));
                groups.insert(15, tlv(0x6f, &[&self.file("aa.der")]));
                ActiveKey::Rsa(Rsa::private_key_from_pem(&self.file("aa.key")).unwrap(), hash.digest())
            }
            Active::Ec(curve, hash) => {
                groups.insert(15, tlv(0x6f, &[&self.ec_key("aa", curve, order.named_curves)]));
                let algorithm = tlv(6, &[&oid(hash.plain_ecdsa())]);
                infos.push(tlv(0x30, &[&tlv(6, &[&oid("2.23.136.1.1.5")]), &integer(1), &algorithm]));
                ActiveKey::Ec(EcKey::private_key_from_pem(&self.file("aa.key")).unwrap(), hash.digest())
            }
        });
        let pace = pace_infos(&order.pace, order.names_parameters);
        infos.extend(pace.iter().cloned());
        groups.insert(14, tlv(0x6e, &[&set_of(infos)]));

        for (number, content) in &groups {
            fs::write(dgs.join(format!("DG{number}.bin")), content).unwrap();
        }
        let script = repository().join("scripts/mint-reading");
        self.shell(&format!(
            "bash {} --dgs dgs --ds ds.pem --key ds.key -o minted.json",
            script.to_str().unwrap()
        ));
        let minted = String::from_utf8(self.file("minted.json")).unwrap();
        let mut files = BTreeMap::from([(COM, field(&minted, "COM")), (SOD, field(&minted, "SOD"))]);
        files.extend(groups.into_iter().map(|(number, content)| (dg(number), content)));
        Chip {
            card_access: (!pace.is_empty()).then(|| set_of(pace)),
            pace: order.pace.clone(),
            files,
            locked: BTreeSet::from([dg(3)]),
            zone: [NUMBER, BIRTH, EXPIRY].map(|field| format!("{field}{}", check_digit(field))).concat(),
            can: CAN.to_owned(),
            bac: order.bac,
            chip_keys,
            active_key,
        }
    }

    /// A new key pair `NAME.key`; gives the SubjectPublicKeyInfo.
    fn ec_key(&self, name: &str, curve: u8, named: bool) -> Vec<u8> {
        let form = if named { "named_curve" } else { "explicit" };
        let curve = match curve {
            12 => "prime256v1",
            13 => "brainpoolP256r1",
            15 => "secp384r1",
            16 => "brainpoolP384r1",
            17 => "brainpoolP512r1",
            other => panic!("no name for curve {other}"),
        };
        self.shell(&format!(
            "openssl ecparam -name {curve} -param_enc {form} -genkey -noout -out {name}.key
            openssl pkey -in {name}.key -pubout -outform DER -out {name}.der"
        ));
        self.file(&format!("{name}.der"))
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap()
    }

    fn shell(&self, script: &str) {
        let output = Command::new("bash").args(["-euc", script]).current_dir(&self.folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Hash {
    fn digest(self) -> MessageDigest {
        match self {
            Hash::Sha1 => MessageDigest::sha1(),
            Hash::Sha256 => MessageDigest::sha256(),
            Hash::Sha384 => MessageDigest::sha384(),
        }
    }

    /// ecdsa-plain-SHAn of TR-03111.
    fn plain_ecdsa(self) -> &'static str {
        match self {
            Hash::Sha1 => "0.4.0.127.0.7.1.1.4.1.1",
            Hash::Sha256 => "0.4.0.127.0.7.1.1.4.1.3",
            Hash::Sha384 => "0.4.0.127.0.7.1.1.4.1.4",
        }
    }
}

/// EF.CardAccess of a chip that can do this.
pub(crate) fn card_access(pace: &[(Suite, u8)]) -> Vec<u8> {
    set_of(pace_infos(pace, true))
}

/// The machine readable zone, three lines of thirty.
pub(crate) fn zone() -> [String; 3] {
    let first = format!("IDVNM{NUMBER}{}{PERSONAL_NUMBER}<<<", check_digit(NUMBER));
    let second = format!("{BIRTH}{}M{EXPIRY}{}VNM<<<<<<<<<<<", check_digit(BIRTH), check_digit(EXPIRY));
    let composite = check_digit(&[&first[5..], &second[..7], &second[8..15], &second[18..]].concat());
    [first, format!("{second}{composite}"), format!("{:<<30}", "NGUYEN<<VAN<AN")]
}

fn pace_infos(pace: &[(Suite, u8)], named: bool) -> Vec<Vec<u8>> {
    let info = |(suite, curve): &(Suite, u8)| {
        let protocol = oid(&format!("{GENERIC_MAPPING}.{}", suite.arc()));
        let number = if named { integer(*curve) } else { vec![] };
        tlv(0x30, &[&tlv(6, &[&protocol]), &integer(2), &number])
    };
    pace.iter().map(info).collect()
}

/// Doc 9303-3, 4.9: weights 7, 3, 1.
fn check_digit(field: &str) -> u32 {
    let value = |c: char| match c {
        '<' => 0,
        c => c.to_digit(36).unwrap(),
    };
    field.chars().zip([7, 3, 1].into_iter().cycle()).map(|(c, weight)| value(c) * weight).sum::<u32>() % 10
}

fn dg1() -> Vec<u8> {
    tlv(0x61, &[&tlv(0x5f1f, &[zone().concat().as_bytes()])])
}

/// The sample portrait, with comments inside its JPEG that make it as long as is wanted.
fn dg2(size: usize) -> Vec<u8> {
    let sample = fs::read(repository().join("test-data/chip/batch-3/DG2.bin")).unwrap();
    let at = |what: &[u8]| sample.windows(what.len()).position(|w| w == what).unwrap();
    let (record, picture) = (at(b"FAC\0"), at(&[0xff, 0xd8, 0xff]));
    let mut image = sample[picture..picture + 2].to_vec();
    let rest = &sample[picture + 2..];
    let mut missing = size.saturating_sub(sample.len());
    while missing > 8 {
        let length = missing.min(4_000);
        image.extend([0xff, 0xfe]);
        image.extend(((length - 2) as u16).to_be_bytes());
        image.extend((0..length - 4).map(|n| b'a' + (n % 26) as u8));
        missing -= length;
    }
    image.extend(rest);
    // ISO/IEC 19794-5: length of the record after eight bytes, length of the facial block after fourteen.
    let mut header = sample[record..picture].to_vec();
    let whole = (header.len() + image.len()) as u32;
    header[8..12].copy_from_slice(&whole.to_be_bytes());
    header[14..18].copy_from_slice(&(whole - 14).to_be_bytes());
    let description = [(0x80, &[1, 1][..]), (0x81, &[2]), (0x87, &[1, 1]), (0x88, &[0, 8])];
    let description = description.map(|(tag, value)| tlv(tag, &[value])).concat();
    let template = tlv(0x7f60, &[&tlv(0xa1, &[&description]), &tlv(0x5f2e, &[&header, &image])]);
    tlv(0x75, &[&tlv(0x7f61, &[&integer(1), &template])])
}

/// Fingers that are on every such card and that this one never gives.
fn dg3() -> Vec<u8> {
    tlv(0x63, &[&tlv(0x7f61, &[&integer(0)])])
}

/// The numbered fields of the Vietnamese card.
fn dg13() -> Vec<u8> {
    let fields = [
        (1, PERSONAL_NUMBER),
        (2, NAME),
        (3, "15/01/1990"),
        (4, "Nam"),
        (5, "Việt Nam"),
        (6, "Kinh"),
        (7, "Không"),
        (8, "Xã Mẫu, Tỉnh Thử"),
        (9, "Số 1, Đường Thử, Xã Mẫu, Tỉnh Thử"),
        (10, "Không xác định"),
        (11, "15/01/2021"),
        (12, "15/01/2035"),
    ];
    let entry = |(id, text): (u8, &str)| tlv(0x30, &[&integer(id), &tlv(0x0c, &[text.as_bytes()])]);
    tlv(0x6d, &[&tlv(0x30, &[&tlv(0x31, &[&fields.map(entry).concat()])])])
}

/// DER: the members in the order of their bytes.
fn set_of(mut members: Vec<Vec<u8>>) -> Vec<u8> {
    members.sort();
    tlv(0x31, &[&members.concat()])
}

/// A base64 field of the minted reading.
fn field(json: &str, name: &str) -> Vec<u8> {
    let (_, rest) = json.split_once(&format!("\"{name}\": \"")).unwrap();
    openssl::base64::decode_block(rest.split('"').next().unwrap()).unwrap()
}

/// The root of the repository, from wherever in it this is built.
fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().find(|folder| folder.join("scripts/mint-reading").is_file()).unwrap().to_owned()
}
