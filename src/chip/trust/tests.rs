//! Chains and lists by the OpenSSL command line, which knows nothing of these rules.

use super::*;
use openssl::x509::X509;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Authorities, document signers and revocation lists.
pub(in crate::chip) struct World {
    pub(in crate::chip) dir: tempfile::TempDir,
}

const SETUP: &str = r#"
key() { openssl ecparam -name "$2" -param_enc "${3:-explicit}" -genkey -noout -out "$1.key"; }
ca='basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
ds='keyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\n'
# issue AUTHORITY NAME SUBJECT EXTENSIONS; a name alone signs itself
serial=100
issue() {
  serial=$((serial + 1)); printf '%b' "$4" > "$2.ext"
  [ -f "$2.key" ] || key "$2" brainpoolP256r1
  openssl req -new -key "$2.key" -subj "$3" -out "$2.csr"
  if [ "$1" = "$2" ]; then openssl x509 -req -in "$2.csr" -signkey "$2.key" -set_serial $serial -sha384 -days 3650 -extfile "$2.ext" -out "$2.pem"
  else openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -set_serial $serial "${5:--sha384}" -days 900 -extfile "$2.ext" -out "$2.pem"; fi
}
name='/C=VN/O=TEST ONLY/CN=TEST CSCA'
key vn brainpoolP384r1; issue vn vn "$name" "$ca"
key vn2 secp384r1; issue vn2 vn2 "$name" "$ca"
# The same new key and name, vouched for by the old key.
cp vn2.key link.key; issue vn link "$name" "$ca"
key de brainpoolP384r1; issue de de '/C=DE/O=TEST ONLY/CN=TEST CSCA' "$ca"
# Another key with the name and the key identifier of the first.
id=$(openssl x509 -in vn.pem -noout -ext subjectKeyIdentifier | tail -1 | tr -d ' :')
key twin brainpoolP384r1; issue twin twin "$name" "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=$id\n"
issue vn ds '/C=VN/O=TEST ONLY/CN=DS 1' "$ds"
issue vn2 ds2 '/C=VN/O=TEST ONLY/CN=DS 2' "$ds"
issue vn plain '/C=VN/O=TEST ONLY/CN=DS 3' 'keyUsage=critical,digitalSignature\nauthorityKeyIdentifier=none\n'
issue vn bare '/C=VN/O=TEST ONLY/CN=DS 4' "authorityKeyIdentifier=keyid\n"
issue vn stateless '/O=TEST ONLY/CN=DS 5' "$ds"
issue vn lower '/C=vn/O=TEST ONLY/CN=DS 6' "$ds"
issue de stranger '/C=VN/O=TEST ONLY/CN=DS 7' "$ds"
issue vn encipher '/C=VN/O=TEST ONLY/CN=DS 8' 'keyUsage=critical,keyEncipherment\n'
issue vn authority '/C=VN/O=TEST ONLY/CN=DS 9' "basicConstraints=critical,CA:TRUE\n$ds"
issue vn certsign '/C=VN/O=TEST ONLY/CN=DS 10' 'keyUsage=critical,digitalSignature,keyCertSign\n'
issue vn crlsign '/C=VN/O=TEST ONLY/CN=DS 11' 'keyUsage=critical,digitalSignature,cRLSign\n'
issue vn garbled '/C=VN/O=TEST ONLY/CN=DS 12' "${ds}2.5.29.19=critical,DER:30030101\n"
issue vn lister '/C=VN/O=TEST ONLY/CN=LIST SIGNER' "${ds}extendedKeyUsage=critical,2.23.136.1.1.3\n"
issue vn server '/C=VN/O=TEST ONLY/CN=TLS' "${ds}extendedKeyUsage=serverAuth\n"
issue vn critical '/C=VN/O=TEST ONLY/CN=DS 13' "${ds}1.2.3.4=critical,DER:0500\n"
issue vn harmless '/C=VN/O=TEST ONLY/CN=DS 14' "${ds}1.2.3.4=DER:0500\n2.23.136.1.1.6.2=DER:3009020100310413024944\n"
issue ds under '/C=VN/O=TEST ONLY/CN=DS 15' "$ds"
issue alone alone '/C=VN/O=TEST ONLY/CN=ALONE' "$ds"
issue vn sha1 '/C=VN/O=TEST ONLY/CN=DS 16' "$ds" -sha1
cp vn.key same.key; issue vn same '/C=VN/O=TEST ONLY/CN=DS 17' "$ds"
issue vn revoked '/C=VN/O=TEST ONLY/CN=DS 18' "$ds"
issue nouse nouse '/C=VN/O=TEST ONLY/CN=NO CA' "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\n"
issue nouse ds-nouse '/C=VN/O=TEST ONLY/CN=DS 19' "$ds"
issue noca noca '/C=VN/O=TEST ONLY/CN=NO CA EITHER' "keyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n"
issue noca ds-noca '/C=VN/O=TEST ONLY/CN=DS 20' "$ds"
key koblitz secp256k1 named_curve; issue koblitz koblitz '/C=VN/O=TEST ONLY/CN=KOBLITZ' "$ca"
issue koblitz ds-koblitz '/C=VN/O=TEST ONLY/CN=DS 21' "$ds"
openssl genrsa -out rsa.key 1024; issue rsa rsa '/C=VN/O=TEST ONLY/CN=RSA' "$ca"
issue rsa ds-rsa '/C=VN/O=TEST ONLY/CN=DS 22' "$ds"
openssl genrsa -out pss.key 3072; issue pss pss '/C=VN/O=TEST ONLY/CN=PSS' "$ca"
printf '%b' "$ds" > ds-pss.ext; key ds-pss prime256v1; openssl req -new -key ds-pss.key -subj '/C=VN/CN=DS 23' -out ds-pss.csr
openssl x509 -req -in ds-pss.csr -CA pss.pem -CAkey pss.key -set_serial 7 -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -days 900 -extfile ds-pss.ext -out ds-pss.pem
# Key out of use since 2020, certificate valid: privateKeyUsagePeriod [0] 2019-01-01 [1] 2020-01-01.
hex() { printf '%s' "$1" | od -An -tx1 | tr -d ' \n'; }
period="2.5.29.16=DER:3022800f$(hex 20190101000000Z)810f$(hex 20200101000000Z)\n"
issue idle idle '/C=VN/O=TEST ONLY/CN=IDLE' "$ca$period"
issue idle ds-idle '/C=VN/O=TEST ONLY/CN=DS 24' "$ds"
# Without a country.
issue nowhere nowhere '/O=TEST ONLY/CN=NOWHERE' "$ca"
issue nowhere ds-nowhere '/C=VN/O=TEST ONLY/CN=DS 26' "$ds"
# The first authority under another name: with its own key, and with a new one that it vouched for; an authority of
# that name that has nothing to do with it; one of the first name that may sign no lists, and a certificate of that name
# that is no authority's.
renamed='/C=VN/O=TEST ONLY/CN=RENAMED'
cp vn.key renamed.key; issue renamed renamed "$renamed" "$ca"
issue vn moved "$renamed" "$ca"; cp moved.key moved-root.key; issue moved-root moved-root "$renamed" "$ca"
issue unrelated unrelated '/C=VN/O=TEST ONLY/CN=UNRELATED' "$ca"
issue nolists nolists "$name" 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n'
issue namesake namesake "$name" "$ds"
# Under the new name, with the number of one that the old name revoked.
was=$serial; serial=$((16#$(openssl x509 -in revoked.pem -noout -serial | cut -d= -f2) - 1))
issue moved-root ds-moved '/C=VN/O=TEST ONLY/CN=DS 27' "$ds"; serial=$was
# Signers of master lists.
issue germany germany '/C=DE/O=TEST ONLY/CN=RENAMED' "$ca"
mls="${ds}extendedKeyUsage=critical,2.23.136.1.1.3\n"
issue de mls '/C=DE/O=TEST ONLY/CN=LIST SIGNER' "$mls"
issue germany mls-germany '/C=DE/O=TEST ONLY/CN=LIST SIGNER 13' "$mls"
issue de mls-soft '/C=DE/O=TEST ONLY/CN=LIST SIGNER 2' "${ds}extendedKeyUsage=2.23.136.1.1.3\n"
issue de mls-none '/C=DE/O=TEST ONLY/CN=LIST SIGNER 3' "$ds"
issue de mls-both '/C=DE/O=TEST ONLY/CN=LIST SIGNER 4' "${ds}extendedKeyUsage=critical,2.23.136.1.1.3,serverAuth\n"
issue de mls-ca '/C=DE/O=TEST ONLY/CN=LIST SIGNER 5' "${mls}basicConstraints=critical,CA:TRUE\n"
issue de mls-usage '/C=DE/O=TEST ONLY/CN=LIST SIGNER 6' 'keyUsage=critical,keyAgreement\nextendedKeyUsage=critical,2.23.136.1.1.3\n'
issue de mls-vn '/C=VN/O=TEST ONLY/CN=LIST SIGNER 7' "$mls"
issue de mls-unknown '/C=DE/O=TEST ONLY/CN=LIST SIGNER 8' "${mls}1.2.3.4=critical,DER:0500\n"
issue de mls-sha1 '/C=DE/O=TEST ONLY/CN=LIST SIGNER 9' "$mls" -sha1
issue de mls-revoked '/C=DE/O=TEST ONLY/CN=LIST SIGNER 10' "$mls"
issue alone mls-alone '/C=DE/O=TEST ONLY/CN=LIST SIGNER 12' "$mls"
# A certificate that was over before anything here was issued.
database() { mkdir -p "$1.db"; touch "$1.db/index"; echo 01 > "$1.db/serial"; echo 01 > "$1.db/number"
  printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s.db/index\nserial=%s.db/serial\ncrlnumber=%s.db/number\nnew_certs_dir=%s.db\ndefault_md=sha384\ndefault_crl_days=30\npolicy=p\nunique_subject=no\n[p]\ncountryName=optional\norganizationName=optional\ncommonName=optional\n[delta]\n2.5.29.27=critical,DER:020101\n[part]\nissuingDistributionPoint=critical,@users\n[users]\nonlyuser=TRUE\n[indirect]\nissuingDistributionPoint=critical,@others\n[others]\nindirectCRL=TRUE\n[unknown]\n1.2.3.4=critical,DER:0500\n[delta-soft]\n2.5.29.27=DER:020101\n[keyed]\nauthorityKeyIdentifier=keyid\n' "$1" "$1" "$1" "$1" > "$1.cnf"; }
database over; key over brainpoolP256r1; openssl req -new -key over.key -subj '/C=VN/O=TEST ONLY/CN=OVER' -out over.csr; printf '%b' "$ca" > over.ext
openssl ca -batch -config over.cnf -selfsign -keyfile over.key -in over.csr -startdate 20150101000000Z -enddate 20200101000000Z -extfile over.ext -out over.pem -notext
issue over ds-over '/C=VN/O=TEST ONLY/CN=DS 25' "$ds"
issue over mls-over '/C=VN/O=TEST ONLY/CN=LIST SIGNER 11' "$mls"
# Revocation lists.
mkdir crl; for who in vn vn2 twin de renamed moved-root unrelated nolists namesake; do database $who; done
list() { openssl ca -config "$1.cnf" -keyfile "$1.key" -cert "$1.pem" -gencrl "${@:3}" -out "crl/$2.crl"; }
list vn clean; list vn2 clean-new-key -crlexts keyed; list twin clean-twin; list de clean-other
openssl ca -config vn.cnf -keyfile vn.key -cert vn.pem -revoke revoked.pem
openssl ca -config twin.cnf -keyfile twin.key -cert twin.pem -revoke ds.pem
openssl ca -config vn2.cnf -keyfile vn2.key -cert vn2.pem -revoke revoked.pem
list vn revoked; list vn2 revoked-new-key; list twin forged
for who in renamed moved-root unrelated; do list $who clean-$who; openssl ca -config $who.cnf -keyfile $who.key -cert $who.pem -revoke revoked.pem; list $who $who; done
openssl ca -config renamed.cnf -keyfile renamed.key -cert renamed.pem -revoke renamed.pem; list renamed self-renamed
for who in nolists namesake; do list $who $who; done
list vn sha1 -md sha1
for kind in delta delta-soft part indirect unknown; do list vn $kind -crlexts $kind; done
openssl ca -config vn.cnf -keyfile vn.key -cert vn.pem -revoke vn.pem; list vn self
openssl ca -config vn.cnf -keyfile vn.key -cert vn.pem -revoke moved.pem; list vn link
openssl ca -config de.cnf -keyfile de.key -cert de.pem -revoke mls-revoked.pem; list de lister
"#;

pub(in crate::chip) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let output = Command::new("bash").args(["-euc", SETUP]).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        World { dir }
    })
}

impl World {
    pub(in crate::chip) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(in crate::chip) fn certificate(&self, name: &str) -> X509 {
        X509::from_pem(&std::fs::read(self.path(&format!("{name}.pem"))).unwrap()).unwrap()
    }

    pub(in crate::chip) fn anchor(&self, name: &str) -> Anchor {
        Anchor::read(name, &self.certificate(name).to_der().unwrap()).unwrap()
    }

    /// Certificates by name, lists with their ending.
    fn trust(&self, names: &[&str]) -> Trust {
        let mut trust = Trust::default();
        for name in names {
            let list = name.ends_with(".crl");
            let file = if list { format!("crl/{name}") } else { format!("{name}.pem") };
            trust.add_file(name, &std::fs::read(self.path(&file)).unwrap()).unwrap();
        }
        trust
    }
}

pub(in crate::chip) fn curves() -> Vec<String> {
    crate::chip::Policy::default().curves
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Anchor's file, broken rules, what is odd, revocation.
type Said = Option<(String, Vec<Broken>, Vec<Odd>, Revocation)>;

fn judge_at(trust: &Trust, signer: &str, now: jiff::Timestamp) -> Said {
    let chain = trust.chain(&world().certificate(signer), now, &curves())?;
    Some((chain.anchor.file.clone(), chain.broken, chain.odd, chain.revocation))
}

fn judge(names: &[&str], signer: &str) -> Said {
    judge_at(&world().trust(names), signer, now())
}

fn good(anchor: &str) -> Said {
    Some((anchor.to_owned(), vec![], vec![], Revocation::Unknown))
}

fn broken(anchor: &str, rules: &[Broken]) -> Said {
    Some((anchor.to_owned(), rules.to_vec(), vec![], Revocation::Unknown))
}

fn odd(anchor: &str, what: &[Odd]) -> Said {
    Some((anchor.to_owned(), vec![], what.to_vec(), Revocation::Unknown))
}

#[test]
fn a_signer_under_a_trusted_authority_is_good_and_under_any_other_has_no_chain() {
    assert_eq!(judge(&["vn"], "ds"), good("vn"));
    assert_eq!(judge(&["pss"], "ds-pss"), good("pss"));
    assert_eq!(judge(&["vn"], "lower"), good("vn"));
    for (anchors, signer) in
        [(&["vn"][..], "alone"), (&["de"], "ds"), (&["twin"], "ds"), (&["vn"], "under"), (&[], "ds")]
    {
        assert_eq!(judge(anchors, signer), None, "{signer} under {anchors:?}");
    }
    let mut flipped = world().certificate("ds").to_der().unwrap();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let flipped = X509::from_der(&flipped).unwrap();
    assert!(world().trust(&["vn"]).chain(&flipped, now(), &curves()).is_none());
}

#[test]
fn one_country_never_signs_for_another() {
    assert_eq!(judge(&["vn", "de"], "stranger"), broken("de", &[Broken::Country]));
    assert_eq!(
        judge(&["nowhere"], "ds-nowhere"),
        good("nowhere"),
        "one that names no country contradicts none"
    );
}

#[test]
fn an_authority_is_no_document_signer_and_a_document_signer_no_authority() {
    use Broken::{SignerIsAuthority, SignerKeyUsage};
    for (signer, rules) in [
        ("vn", &[SignerIsAuthority, SignerKeyUsage][..]),
        ("authority", &[SignerIsAuthority]),
        ("certsign", &[SignerIsAuthority]),
        ("crlsign", &[SignerIsAuthority]),
        ("garbled", &[SignerIsAuthority]),
        ("same", &[SignerIsAuthority]),
        ("encipher", &[SignerKeyUsage]),
        ("lister", &[SignerKeyUsage]),
        ("server", &[SignerKeyUsage]),
    ] {
        let (_, found, _, _) = judge(&["vn"], signer).unwrap();
        assert_eq!(found, rules, "{signer}");
    }
    assert_eq!(judge(&["vn"], "under"), None, "signed by a document signer");
    assert_eq!(judge(&["nouse"], "ds-nouse"), broken("nouse", &[Broken::AnchorNotAuthority]));
    assert_eq!(judge(&["noca"], "ds-noca"), broken("noca", &[Broken::AnchorNotAuthority]));
    assert!(world().trust(&["vn", "ds"]).holds(&world().certificate("ds")));
}

#[test]
fn an_unknown_critical_extension_breaks_the_chain_and_an_unknown_other_does_not() {
    assert_eq!(judge(&["vn"], "critical"), broken("vn", &[Broken::CriticalExtension]));
    assert_eq!(judge(&["vn"], "harmless"), good("vn"));
}

#[test]
fn what_the_profile_demands_and_is_not_there_is_odd() {
    for signer in ["plain", "bare", "stateless"] {
        assert_eq!(judge(&["vn"], signer), odd("vn", &[Odd::SignerProfile]), "{signer}");
    }
}

#[test]
fn link_certificates_and_ambiguous_key_identifiers_give_one_answer_in_any_order() {
    let names = ["vn", "vn2", "link", "twin", "de"];
    let shas = |signer| {
        let mut found = BTreeSet::new();
        for first in 0..names.len() {
            let mut order = names;
            order.rotate_left(first);
            for _ in 0..2 {
                order.reverse();
                let trust = world().trust(&order);
                let chain = trust.chain(&world().certificate(signer), now(), &curves()).unwrap();
                assert_eq!((chain.broken, chain.odd), (vec![], vec![]), "{signer} with {order:?}");
                found.insert(chain.anchor.sha256);
            }
        }
        found
    };
    assert_eq!(shas("ds").len(), 1, "a twin of name and key identifier is there");
    assert_eq!(shas("ds2").len(), 1, "a self-signed and a link certificate hold the key");
    assert_eq!(judge(&["vn", "vn2", "link"], "plain").unwrap().0, "vn", "no key identifier to go by");
    assert_eq!(judge(&["link"], "ds2"), good("link"), "the link certificate alone will do");
}

#[test]
fn times_are_held_against_the_signer_the_authority_and_its_key() {
    use jiff::ToSpan as _;
    let trust = world().trust(&["vn"]);
    let at = |hours: i64| judge_at(&trust, "ds", now() + (24 * hours).hours());
    assert_eq!(at(-2), broken("vn", &[Broken::SignerNotYetValid]));
    assert_eq!(at(901), odd("vn", &[Odd::SignerExpired]));
    assert_eq!(at(3651), odd("vn", &[Odd::SignerExpired, Odd::AnchorExpired]));
    assert_eq!(judge(&["idle"], "ds-idle"), odd("idle", &[Odd::IssuedOutsideKeyPeriod]));
    let (_, rules, odd, _) = judge(&["over"], "ds-over").unwrap();
    assert_eq!((rules, odd), (vec![Broken::AnchorValidity], vec![Odd::AnchorExpired]));
}

#[test]
fn weak_hashes_and_keys_are_told_and_a_curve_that_is_not_allowed_breaks_the_chain() {
    assert_eq!(judge(&["vn"], "sha1"), odd("vn", &[Odd::Weak]));
    assert_eq!(judge(&["rsa"], "ds-rsa"), odd("rsa", &[Odd::Weak]));
    let trust = world().trust(&["koblitz"]);
    let signer = world().certificate("ds-koblitz");
    // secp256k1 is neither of NIST nor of RFC 5639.
    assert_eq!(trust.chain(&signer, now(), &curves()).unwrap().broken, [Broken::AnchorCurve]);
    let more = [curves(), vec!["secp256k1".to_owned()]].concat();
    assert_eq!(trust.chain(&signer, now(), &more).unwrap().broken, []);
}

#[test]
fn an_anchor_with_a_generator_of_its_own_making_is_refused_with_its_file() {
    // CVE-2020-0601: an authority's own key made the generator of its curve.
    let der = world().certificate("vn").to_der().unwrap();
    let parts = Parts::read(&der).unwrap();
    let mut outer = crate::der::only(&parts.spki, 0x30).unwrap().reader();
    outer.expect(0x30).unwrap();
    let point = outer.expect(0x03).unwrap().content[1..].to_vec();
    let base = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::BRAINPOOL_P384R1).unwrap();
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
    let generator = base.generator_opt().unwrap().to_bytes(&base, form, &mut context).unwrap();
    let at = der.windows(generator.len()).position(|w| w == generator).unwrap();
    let mut evil = der.clone();
    evil[at..at + point.len()].copy_from_slice(&point);
    let fault = Trust::default().add_file("evil.der", &evil).unwrap_err();
    assert_eq!((fault.code.id, fault.detail.unwrap().contains("curve")), ("CHIP-011", true));
}

#[test]
fn revocation_is_fresh_stale_revoked_or_unknown_and_only_by_lists_that_the_authority_signed() {
    use Revocation::{Fresh, Revoked, Stale, Unknown};
    let on = |anchors: &[&str], lists: &[&str], signer: &str, days: i64| {
        let names: Vec<&str> = anchors.iter().chain(lists).copied().collect();
        let now = now() + jiff::SignedDuration::from_hours(24 * days);
        world().trust(&names).chain(&world().certificate(signer), now, &curves()).unwrap().revocation
    };
    assert_eq!(on(&["vn"], &[], "ds", 0), Unknown);
    assert_eq!(on(&["vn"], &["clean.crl"], "ds", 0), Fresh);
    assert_eq!(on(&["vn"], &["clean.crl"], "ds", 31), Stale);
    assert_eq!(on(&["vn"], &["revoked.crl"], "ds", 0), Fresh);
    for lists in [&["revoked.crl"][..], &["clean.crl", "revoked.crl"], &["revoked.crl", "clean.crl"]] {
        assert_eq!(on(&["vn"], lists, "revoked", 31), Revoked);
    }
    // Another authority of this name, and one of another.
    for lists in [&["forged.crl"][..], &["clean-twin.crl"], &["clean-other.crl"]] {
        assert_eq!(on(&["vn", "de"], lists, "ds", 0), Unknown, "{lists:?}");
    }
    // An authority that changed its key speaks for the old one too, where the new one is trusted.
    assert_eq!(on(&["vn"], &["revoked-new-key.crl"], "revoked", 0), Unknown);
    assert_eq!(on(&["vn", "vn2"], &["revoked-new-key.crl"], "revoked", 0), Revoked);
    assert_eq!(on(&["vn", "link"], &["clean-new-key.crl"], "ds", 0), Fresh);
}

#[test]
fn a_list_that_speaks_about_a_part_never_calls_anything_fresh() {
    use Revocation::{Fresh, Revoked, Unknown};
    let on = |lists: &[&str], signer: &str| {
        let names: Vec<&str> = ["vn"].iter().chain(lists).copied().collect();
        judge(&names, signer).unwrap().3
    };
    for list in ["delta.crl", "delta-soft.crl", "part.crl", "unknown.crl", "sha1.crl"] {
        assert_eq!((on(&[list], "ds"), on(&[list], "revoked")), (Unknown, Revoked), "{list}");
        assert_eq!(on(&[list, "clean.crl"], "ds"), Fresh);
    }
    assert_eq!((on(&["indirect.crl"], "ds"), on(&["indirect.crl"], "revoked")), (Unknown, Unknown));
}

#[test]
fn an_authority_on_its_own_list_breaks_the_chain() {
    // Whichever certificate of the key the chain is told to hang on: there is one with and one without a revoked serial.
    let lists = [("self.crl", Revocation::Fresh), ("self-renamed.crl", Revocation::Unknown)];
    for (list, expected) in lists {
        for anchors in [&["vn", "renamed"][..], &["renamed", "vn"]] {
            let names: Vec<&str> = anchors.iter().copied().chain([list]).collect();
            let (_, rules, _, revocation) = judge(&names, "ds").unwrap();
            assert_eq!((rules, revocation), (vec![Broken::AnchorRevoked], expected), "{list}");
        }
    }
    let (_, rules, _, revocation) = judge(&["vn", "self.crl"], "ds").unwrap();
    assert_eq!((rules, revocation), (vec![Broken::AnchorRevoked], Revocation::Fresh));
}

#[test]
fn an_authority_that_took_another_name_still_revokes_what_it_issued_and_clears_nothing_under_that_name() {
    use Revocation::{Revoked, Unknown};
    for (anchors, list) in [
        (&["renamed"][..], "renamed"),
        (&["vn", "renamed"], "renamed"),
        (&["vn", "moved", "moved-root"], "moved-root"),
        (&["vn", "moved"], "moved-root"),
    ] {
        let with = |list: &str, signer: &str| {
            let file = format!("{list}.crl");
            let names: Vec<&str> = anchors.iter().copied().chain([file.as_str()]).collect();
            judge(&names, signer).unwrap().3
        };
        assert_eq!((with(list, "revoked"), with(list, "ds")), (Revoked, Unknown), "{anchors:?}");
        assert_eq!(with(&format!("clean-{list}"), "revoked"), Unknown);
    }
    // An authority of the same country that neither key nor link ties to it.
    let unrelated = ["vn", "unrelated", "moved-root", "unrelated.crl", "moved-root.crl"];
    assert_eq!(judge(&unrelated, "revoked").unwrap().3, Unknown);
}

#[test]
fn an_older_name_revokes_its_link_certificate_and_nothing_that_its_successor_issued() {
    let anchors = ["vn", "moved", "moved-root"];
    let with = |lists: &[&str]| {
        let names: Vec<&str> = anchors.iter().chain(lists).copied().collect();
        let (_, rules, _, revocation) = judge(&names, "ds-moved").unwrap();
        (rules, revocation)
    };
    assert_eq!(with(&["revoked.crl"]), (vec![], Revocation::Unknown));
    assert_eq!(with(&["revoked.crl", "clean-moved-root.crl"]), (vec![], Revocation::Fresh));
    assert_eq!(with(&["moved-root.crl"]).1, Revocation::Revoked, "its own number, whoever is meant");
    assert_eq!(with(&["link.crl"]), (vec![Broken::AnchorRevoked], Revocation::Unknown));
}

#[test]
fn a_list_clears_only_if_its_signer_may_sign_lists() {
    for name in ["nolists", "namesake"] {
        let list = format!("{name}.crl");
        assert_eq!(judge(&["vn", name, &list], "ds").unwrap().3, Revocation::Unknown, "{name}");
    }
}

#[test]
fn a_folder_of_lists_adds_lists_and_no_trust() {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str| std::fs::read_to_string(world().path(name)).unwrap();
    let [list, authority] = [text("crl/clean.crl"), text("vn.pem")];
    for bundle in [format!("{list}{authority}"), format!("{authority}{list}")] {
        std::fs::write(folder.path().join("bundle.pem"), bundle).unwrap();
        let mut trust = Trust::default();
        trust.add_lists(folder.path()).unwrap();
        assert_eq!((trust.len(), trust.revocation_lists()), (0, 1));
        assert!(trust.chain(&world().certificate("ds"), now(), &curves()).is_none());
        let mut trust = world().trust(&["vn"]);
        trust.add_lists(folder.path()).unwrap();
        assert_eq!(judge_at(&trust, "ds", now()).unwrap().3, Revocation::Fresh);
    }
    let refused = |folder: &Path| Trust::default().add_lists(folder).unwrap_err().code.id;
    let useless = tempfile::tempdir().unwrap();
    Trust::default().add_lists(useless.path()).unwrap();
    std::fs::write(useless.path().join("pkd.ldif"), "dn: c=DE\n").unwrap();
    assert_eq!(refused(useless.path()), "CHIP-034");
    assert_eq!(refused(&folder.path().join("none")), "CHIP-010");
    std::fs::write(folder.path().join("alone.pem"), authority).unwrap();
    assert_eq!(refused(folder.path()), "CHIP-034");
    std::fs::write(folder.path().join("odd.crl"), b"\x30\x03\x02\x01\x00").unwrap();
    assert_eq!(Trust::load(folder.path()).err().unwrap().code.id, "CHIP-011");
}

#[test]
fn a_pem_file_may_hold_words_certificates_and_lists_and_must_end_what_it_begins() {
    let text = |name: &str| std::fs::read_to_string(world().path(name)).unwrap();
    let mut all = format!("Given by the ministry, Hà Nội\r\n{}\n{}", text("vn.pem"), text("crl/clean.crl"));
    let mut trust = Trust::default();
    trust.add_file("all.pem", all.as_bytes()).unwrap();
    assert_eq!((trust.len(), trust.revocation_lists()), (1, 1));
    all.truncate(all.len() - 20);
    assert_eq!(Trust::default().add_file("all.pem", all.as_bytes()).unwrap_err().code.id, "CHIP-011");
    let key = text("vn.key");
    assert_eq!(Trust::default().add_file("key.pem", key.as_bytes()).unwrap_err().code.id, "CHIP-011");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_an_anchor_a_list_or_a_fault(bytes: Vec<u8>) {
        let _ = Trust::default().add_file("any", &bytes);
        let _ = bundle::read([b"hoso anchors 1\n", &bytes[..]].concat());
    }
}
