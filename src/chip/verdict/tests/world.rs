//! A training world: authorities, document signers and cards that exist nowhere, minted by the OpenSSL command line.

use super::hand::Hand;
use crate::chip::portrait::tests as faces;
use crate::chip::reading::{FileId, Reading};
use crate::chip::trust::Trust;
use crate::der;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use openssl::x509::X509;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// A training world: two countries' authorities, their document signers, an AA key, data groups of one made-up card.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
}

const SETUP: &str = r#"
ecparam() { openssl ecparam -name "$1" -param_enc explicit -genkey -noout -out "$2"; }
csca() { ecparam brainpoolP384r1 "$1.key"
  openssl req -x509 -new -key "$1.key" -sha384 -days 3650 -subj "$2" -addext keyUsage=critical,keyCertSign,cRLSign -out "$1.pem"; }
ds() { ecparam brainpoolP256r1 "$2.key"
  openssl req -new -key "$2.key" -subj "$3" -out "$2.csr"
  printf '%b' "$4" > "$2.ext"
  openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -sha384 -days 900 -extfile "$2.ext" -out "$2.pem"; }
profile='keyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\n'
mkdir self; touch self/index; echo 10 > self/serial
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=self/index\nserial=self/serial\nnew_certs_dir=self\ndefault_md=sha384\npolicy=p\nx509_extensions=x\n' > self.cnf
printf '[p]\ncountryName=optional\norganizationName=optional\ncommonName=optional\n[x]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n' >> self.cnf
ecparam brainpoolP384r1 vn.key; openssl req -new -key vn.key -subj '/C=VN/O=TEST ONLY/CN=TEST CSCA' -out vn.csr
openssl ca -config self.cnf -selfsign -keyfile vn.key -in vn.csr -batch -notext -preserveDN -out vn.pem \
  -startdate "$(date -u -d '-400 days' +%Y%m%d%H%M%SZ)" -enddate "$(date -u -d '+3650 days' +%Y%m%d%H%M%SZ)"
csca de '/C=DE/O=TEST ONLY/CN=TEST CSCA'
ds vn ds '/C=VN/O=TEST ONLY/CN=TEST DS 1' "$profile"
ds vn revoked '/C=VN/O=TEST ONLY/CN=TEST DS 2' "$profile"
ds vn encipher '/C=VN/O=TEST ONLY/CN=TEST DS 3' 'keyUsage=critical,keyEncipherment\n'
ds vn authority '/C=VN/O=TEST ONLY/CN=TEST DS 4' 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature,keyCertSign\n'
ds vn critical '/C=VN/O=TEST ONLY/CN=TEST DS 5' "${profile}1.2.3.4=critical,DER:0500\n"
ds vn keyid '/C=VN/O=TEST ONLY/CN=TEST DS 11' "${profile}subjectKeyIdentifier=hash\n"
ds vn second '/C=VN/O=TEST ONLY/CN=TEST DS 7' "$profile"
ds vn future '/C=VN/O=TEST ONLY/CN=TEST DS 8' "${profile}2.5.29.16=DER:3022800f32303230303130313030303030305a810f32303230303230313030303030305a\n"
rsa() { openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:"$2" -pkeyopt rsa_keygen_pubexp:"$3" -out "$1.key"
  openssl req -new -key "$1.key" -subj "/C=VN/O=TEST ONLY/CN=TEST $1" -out "$1.csr"; printf '%b' "$profile" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA vn.pem -CAkey vn.key -CAcreateserial -sha384 -days 900 -extfile "$1.ext" -out "$1.pem"; }
rsa rsa2048 2048 65537; rsa rsa3 2048 3
short() { openssl ecparam -name "$1" -genkey -noout -out "$1.key"
  openssl req -new -key "$1.key" -subj "/C=VN/O=TEST ONLY/CN=TEST $1" -out "$1.csr"; printf '%b' "$profile" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA vn.pem -CAkey vn.key -CAcreateserial -sha384 -days 900 -extfile "$1.ext" -out "$1.pem"; }
for curve in prime192v1 secp224r1 brainpoolP224r1 prime256v1 secp384r1 secp521r1 brainpoolP384r1 brainpoolP512r1; do short $curve; done
ecparam brainpoolP384r1 next.key
openssl req -x509 -new -key next.key -sha384 -days 3650 -subj '/C=VN/O=TEST ONLY/CN=TEST CSCA' -addext keyUsage=critical,keyCertSign,cRLSign -out next.pem
openssl req -new -key next.key -subj '/C=VN/O=TEST ONLY/CN=TEST CSCA' -out link.csr
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' > link.ext
openssl x509 -req -in link.csr -CA vn.pem -CAkey vn.key -CAcreateserial -sha384 -days 3000 -extfile link.ext -out link.pem
ds next after '/C=VN/O=TEST ONLY/CN=TEST DS 9' "$profile"
ds ds below '/C=VN/O=TEST ONLY/CN=TEST DS 10' "$profile"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out aa-rsa.key
ds de german '/C=DE/O=TEST ONLY/CN=TEST DS 1' "$profile"
ds de stranger '/C=VN/O=TEST ONLY/CN=TEST DS 1' "$profile"
csca nowhere '/O=TEST ONLY/CN=TEST CSCA'; ds nowhere placeless '/C=VN/O=TEST ONLY/CN=TEST DS 12' "$profile"
ecparam brainpoolP384r1 idle.key
openssl req -x509 -new -key idle.key -sha384 -days 3650 -subj '/C=VN/O=TEST ONLY/CN=IDLE' -addext keyUsage=critical,keyCertSign,cRLSign \
  -addext 2.5.29.16=DER:3022800f32303230303130313030303030305a810f32303230303230313030303030305a -out idle.pem
ds idle idled '/C=VN/O=TEST ONLY/CN=TEST DS 13' "$profile"
mkdir placeless idle; cp nowhere.pem placeless/; cp idle.pem idle/
openssl req -x509 -new -key ds.key -sha256 -days 30 -subj '/C=VN/CN=ALONE' -out alone.pem
openssl req -new -x509 -newkey rsa:1024 -nodes -keyout rsa.key -sha256 -days 30 -subj '/C=VN/CN=WEAK' -out rsa-own.pem
openssl req -new -key rsa.key -subj '/C=VN/CN=TEST DS 6' -out rsa.csr
openssl x509 -req -in rsa.csr -CA vn.pem -CAkey vn.key -CAcreateserial -sha384 -days 900 -out rsa.pem
openssl ecparam -name prime256v1 -genkey -noout -out aa.key
openssl ecparam -name prime256v1 -genkey -noout -out other-aa.key
mkdir anchors both crls db
cp vn.pem anchors/; cp vn.pem de.pem both/; cp vn.pem crls/
mkdir crls-only links1 links2 links3 signers foreign; cp next.pem links1/a.pem; cp vn.pem links1/b.pem; cp link.pem links1/c.pem
cp vn.pem links2/a.pem; cp link.pem links2/b.pem; cp next.pem links2/c.pem; cp link.pem links3/; cp vn.pem ds.pem signers/; cp vn.pem foreign/
touch db/index; echo 01 > db/serial; echo 01 > db/crlnumber
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=db/index\nserial=db/serial\ncrlnumber=db/crlnumber\ndefault_md=sha384\ndefault_crl_days=30\n' > ca.cnf
openssl ca -config ca.cnf -keyfile vn.key -cert vn.pem -revoke revoked.pem
openssl ca -config ca.cnf -keyfile vn.key -cert vn.pem -gencrl -out crls/vn.crl; cp crls/vn.crl crls-only/
openssl ca -config ca.cnf -keyfile next.key -cert next.pem -gencrl -out foreign/next.crl
"#;

pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let output = Command::new("bash").args(["-euc", SETUP]).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let dgs = dir.path().join("dgs");
        std::fs::create_dir(&dgs).unwrap();
        std::fs::write(dgs.join("DG1.bin"), dg1("VNM")).unwrap();
        std::fs::write(dgs.join("DG2.bin"), faces::dg2(&faces::jpeg(413, 531))).unwrap();
        std::fs::write(dgs.join("DG13.bin"), dg13("Nguyễn Văn An")).unwrap();
        World { dir }
    })
}

impl World {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn trust(&self, folder: &str) -> Trust {
        Trust::load(&self.path(folder)).unwrap()
    }

    /// A reading by the script.
    pub(crate) fn mint(&self, ds: &str, more: &[&str]) -> Reading {
        let out = tempfile::NamedTempFile::new().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/mint-reading");
        let output = Command::new("bash")
            .arg(script)
            .args(["--dgs", "dgs", "--ds", &format!("{ds}.pem"), "--key"])
            .arg(self.path(&format!("{}.key", if ds == "alone" { "ds" } else { ds })))
            .args(more)
            .arg("-o")
            .arg(out.path())
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Reading::parse(&std::fs::read(out.path()).unwrap()).unwrap()
    }

    pub(crate) fn key(&self, name: &str) -> PKey<Private> {
        PKey::private_key_from_pem(&std::fs::read(self.path(&format!("{name}.key"))).unwrap()).unwrap()
    }

    pub(crate) fn certificate(&self, name: &str) -> X509 {
        X509::from_pem(&std::fs::read(self.path(&format!("{name}.pem"))).unwrap()).unwrap()
    }

    /// A reading whose SOD is put together by hand.
    pub(crate) fn forge(&self, hand: &Hand) -> Reading {
        let mut files = BTreeMap::from([(FileId::Sod, hand.build(self))]);
        for number in [1, 2, 13] {
            files.insert(FileId::Dg(number), self.group(number));
        }
        files.extend(hand.files.iter().map(|(n, file)| (FileId::Dg(*n), file.clone())));
        Reading::of_files(files).unwrap()
    }

    pub(crate) fn group(&self, number: u8) -> Vec<u8> {
        std::fs::read(self.path(&format!("dgs/DG{number}.bin"))).unwrap()
    }

    /// A document signer of the Vietnamese authority with any key and any validity, `YYMMDD`.
    pub(crate) fn certify(&self, spki: &[u8], (from, to): &(String, String)) -> X509 {
        let authority = self.certificate("vn");
        let issuer = crate::cms::Parts::of(&authority).unwrap();
        let algorithm = der::sequence(&[&der::oid(&[1, 2, 840, 10045, 4, 3, 3])]);
        let time = |day: &str| der::tlv(0x17, format!("{day}000000Z").as_bytes());
        let name = |oid: &[u64], tag: u8, text: &str| {
            der::tlv(0x31, &der::sequence(&[&der::oid(oid), &der::tlv(tag, text.as_bytes())]))
        };
        let subject =
            der::sequence(&[&name(&[2, 5, 4, 6], 0x13, "VN"), &name(&[2, 5, 4, 3], 0x0c, "TEST MADE")]);
        let extension =
            |oid: &[u64], value: &[u8]| der::sequence(&[&der::oid(oid), &der::octet_string(value)]);
        let key_id = der::sequence(&[&der::tlv(0x80, issuer.subject_key_id().unwrap())]);
        let extensions = der::sequence(&[
            &extension(&[2, 5, 29, 15], &[3, 2, 7, 0x80]),
            &extension(&[2, 5, 29, 35], &key_id),
        ]);
        let tbs = der::sequence(&[
            &der::tlv(0xa0, &der::integer(&[2])),
            &der::integer(&openssl::sha::sha256(spki)[..8]),
            &algorithm,
            &issuer.subject,
            &der::sequence(&[&time(from), &time(to)]),
            &subject,
            spki,
            &der::tlv(0xa3, &extensions),
        ]);
        let mut signer = Signer::new(MessageDigest::sha384(), &self.key("vn")).unwrap();
        signer.update(&tbs).unwrap();
        let signature = [&[0], &signer.sign_to_vec().unwrap()[..]].concat();
        X509::from_der(&der::sequence(&[&tbs, &algorithm, &der::tlv(0x03, &signature)])).unwrap()
    }
}

/// A validity around today and within the Vietnamese authority's, `YYMMDD`.
pub(crate) fn lately() -> (String, String) {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |days: i64| (today + jiff::Span::new().days(days)).strftime("%y%m%d").to_string();
    (day(-300), day(600))
}

pub(crate) fn dg1(state: &str) -> Vec<u8> {
    dg1_of(state, "001090123456", "900115", "350115")
}

/// The zone of a card with this personal number, day of birth and last day, `YYMMDD`.
pub(crate) fn dg1_of(state: &str, number: &str, birth: &str, expiry: &str) -> Vec<u8> {
    use crate::chip::mrz::check_digit;
    let nine = &number[3..];
    let first = format!("ID{state}{nine}{}{number}<<<", check_digit(&[nine]));
    let second = format!("{birth}{}M{expiry}{}VNM<<<<<<<<<<<", check_digit(&[birth]), check_digit(&[expiry]));
    let composite = check_digit(&[&first[5..], &second[..7], &second[8..15], &second[18..]]);
    let zone = format!("{first}{second}{composite}{:<<30}", "NGUYEN<<VAN<AN");
    der::tlv(0x61, &[&[0x5f, 0x1f, 90], zone.as_bytes()].concat())
}

pub(crate) fn dg13(name: &str) -> Vec<u8> {
    let entry = |id: u8, text: &str| der::sequence(&[&der::integer(&[id]), &der::tlv(0x0c, text.as_bytes())]);
    let entries = [
        entry(1, "001090123456"),
        entry(2, name),
        entry(3, "15/01/1990"),
        entry(4, "Nam"),
        entry(12, "15/01/2035"),
    ];
    der::tlv(0x6d, &der::sequence(&[&der::tlv(0x31, &entries.concat())]))
}
