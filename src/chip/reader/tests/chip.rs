//! The other side: a small chip in memory with the quirks that are known of real ones.

use crate::chip::reader::suite::{Suite, pad, unpad};
use crate::chip::reader::{Lost, Transceiver};
use crate::der::{self, Reader};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sha::{sha1, sha256};
use std::collections::BTreeMap;

/// How a chip behaves.
#[derive(Clone)]
pub(crate) struct Profile {
    /// Last arc of the PACE protocol and the parameter identifier; `None` for a chip of the older way only.
    pub(crate) pace: Option<(u64, u64)>,
    /// PACE is offered and refused with this status at MSE:Set AT.
    pub(crate) pace_refused: Option<u16>,
    /// MSE:Set AT without the parameters is refused with 6A80.
    pub(crate) wants_parameter: bool,
    /// SELECT MF is refused with this status.
    pub(crate) master: u16,
    /// The chip proves itself with its last arc of the protocol.
    pub(crate) ca: Option<u64>,
    /// The key in DG14 is another one than the chip holds.
    pub(crate) copied: bool,
    /// DG15 is an RSA key of so many bits; 0 for an elliptic one.
    pub(crate) aa_bits: u32,
    /// Most bytes of data in a response; more is refused with this status.
    pub(crate) most: usize,
    pub(crate) too_much: u16,
    /// Refusals come in the clear and end the session.
    pub(crate) blunt: bool,
    /// Size of the portrait's file.
    pub(crate) portrait: usize,
    /// Which response is spoilt, counted from 0, and how.
    pub(crate) spoil: Option<(usize, Spoil)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spoil {
    NoMac,
    WrongMac,
    WrongStatus,
    PlainSuccess,
    /// Somebody else says 6982; the chip never learns of it.
    PlainRefusal,
    Twice,
    Gone,
}

impl Default for Profile {
    fn default() -> Self {
        Profile {
            pace: Some((2, 13)),
            pace_refused: None,
            wants_parameter: false,
            master: 0x6d00,
            ca: Some(2),
            copied: false,
            aa_bits: 0,
            most: 65_536,
            too_much: 0x6700,
            blunt: false,
            portrait: 15_000,
            spoil: None,
        }
    }
}

pub(crate) const CAN: &str = "123456";
pub(crate) const NUMBER: &str = "090123456";
pub(crate) const BIRTH: &str = "900101";
pub(crate) const EXPIRY: &str = "300101";
pub(crate) const CANARY: &[u8] = b"NGUYEN<<CANARY";

pub(crate) struct Chip {
    pub(crate) profile: Profile,
    /// How many commands came.
    pub(crate) count: usize,
    /// The lengths that were asked for.
    pub(crate) asked: Vec<usize>,
    files: BTreeMap<u16, Vec<u8>>,
    ca_key: EcKey<Private>,
    aa_key: PKey<Private>,
    selected: Option<u16>,
    applet: bool,
    session: Option<Session>,
    pace: Option<Pace>,
    bac: Option<[u8; 8]>,
    pending: Option<(Suite, Vec<u8>)>,
    ca_suite: Option<Suite>,
    zeros: bool,
}

struct Session {
    suite: Suite,
    enc: Vec<u8>,
    mac: Vec<u8>,
    ssc: Vec<u8>,
}

struct Pace {
    group: EcGroup,
    suite: Suite,
    oid: Vec<u8>,
    password: Vec<u8>,
    nonce: Vec<u8>,
    mapping: Option<BigNum>,
    generator: Option<EcPoint>,
    /// Session keys, both ephemeral keys.
    agreed: Option<(Vec<u8>, Vec<u8>, Vec<u8>)>,
}

fn nid(id: u64) -> Nid {
    [
        Nid::X9_62_PRIME192V1,
        Nid::BRAINPOOL_P192R1,
        Nid::SECP224R1,
        Nid::BRAINPOOL_P224R1,
        Nid::X9_62_PRIME256V1,
        Nid::BRAINPOOL_P256R1,
        Nid::BRAINPOOL_P320R1,
        Nid::SECP384R1,
        Nid::BRAINPOOL_P384R1,
        Nid::BRAINPOOL_P512R1,
        Nid::SECP521R1,
    ][id as usize - 8]
}

fn suite(arc: u64) -> Suite {
    Suite::of_arc(&arc.to_string()).unwrap()
}

fn zone() -> Vec<u8> {
    let digit = |text: &str| crate::chip::mrz::check_digit(&[text]);
    format!("{NUMBER}{}{BIRTH}{}{EXPIRY}{}", digit(NUMBER), digit(BIRTH), digit(EXPIRY)).into_bytes()
}

fn bytes_of(group: &EcGroup, point: &EcPoint) -> Vec<u8> {
    let mut context = BigNumContext::new().unwrap();
    point.to_bytes(group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap()
}

/// The first coordinate, cut out of the uncompressed point.
fn first(group: &EcGroup, point: &EcPoint) -> Vec<u8> {
    let bytes = bytes_of(group, point);
    bytes[1..1 + (bytes.len() - 1) / 2].to_vec()
}

fn times(group: &EcGroup, point: &EcPoint, scalar: &BigNum) -> EcPoint {
    let mut product = EcPoint::new(group).unwrap();
    product.mul2(group, point, scalar, &mut BigNumContext::new().unwrap()).unwrap();
    product
}

fn oid(arcs: &[u64]) -> Vec<u8> {
    der::oid(&[&[0, 4, 0, 127, 0, 7, 2, 2], arcs].concat())
}

impl Chip {
    pub(crate) fn new(profile: Profile) -> Self {
        let group = EcGroup::from_curve_name(Nid::BRAINPOOL_P256R1).unwrap();
        let ca_key = EcKey::generate(&group).unwrap();
        let aa_key = match profile.aa_bits {
            0 => PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap(),
            bits => PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap(),
        };
        let mut dgs: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        let zone =
            format!("IDVNM{NUMBER}8001{NUMBER}<<<9001011M3001011VNM<<<<<<<<<<<6{:<<30}", "NGUYEN<<CANARY");
        dgs.insert(1, der::tlv(0x61, &[&[0x5f, 0x1f], &der::tlv(0, zone.as_bytes())[1..]].concat()));
        let picture: Vec<u8> = (0..profile.portrait).map(|i| (i % 251) as u8).collect();
        dgs.insert(2, der::tlv(0x75, &picture));
        dgs.insert(3, der::tlv(0x63, &[1; 40]));
        dgs.insert(13, der::tlv(0x6d, CANARY));
        if let Some(arc) = profile.ca {
            let shown = if profile.copied { EcKey::generate(&group).unwrap() } else { ca_key.clone() };
            let spki = PKey::from_ec_key(shown).unwrap().public_key_to_der().unwrap();
            let info = der::sequence(&[&oid(&[3, 2, arc]), &der::integer(&[1])]);
            let key = der::sequence(&[&oid(&[1, 2]), &spki]);
            dgs.insert(14, der::tlv(0x6e, &der::set_of(&[&info, &key])));
        }
        dgs.insert(15, der::tlv(0x6f, &aa_key.public_key_to_der().unwrap()));
        let hashes: Vec<Vec<u8>> = dgs
            .iter()
            .map(|(n, file)| der::sequence(&[&der::integer(&[*n]), &der::octet_string(&sha256(file))]))
            .collect();
        let tags: Vec<u8> = dgs.keys().map(|n| crate::chip::lds::tag_of(*n).unwrap() as u8).collect();
        let mut files: BTreeMap<u16, Vec<u8>> =
            dgs.into_iter().map(|(n, file)| (0x100 | u16::from(n), file)).collect();
        files.insert(0x011e, der::tlv(0x60, &der::tlv(0x5c, &tags)));
        files.insert(0x011d, sod(&hashes));
        let mut chip = Chip {
            profile,
            count: 0,
            asked: Vec::new(),
            files,
            ca_key,
            aa_key,
            selected: None,
            applet: false,
            session: None,
            pace: None,
            bac: None,
            pending: None,
            ca_suite: None,
            zeros: false,
        };
        if chip.profile.pace.is_some() {
            let access = chip.card_access();
            chip.files.insert(0x011c, access);
        }
        chip
    }

    pub(crate) fn card_access(&self) -> Vec<u8> {
        let (arc, parameter) = self.profile.pace.unwrap();
        let info =
            der::sequence(&[&oid(&[4, 2, arc]), &der::integer(&[2]), &der::integer(&[parameter as u8])]);
        der::set_of(&[&info])
    }

    /// A point or secret of this chip's PACE began with a zero byte.
    pub(crate) fn saw_leading_zero(&self) -> bool {
        self.zeros
    }

    /// A file that is listed and not there.
    pub(crate) fn forget(&mut self, id: u16) {
        self.files.remove(&id);
    }

    pub(crate) fn file(&self, id: u16) -> &[u8] {
        &self.files[&id]
    }

    /// Everything that must be in no log, in hexadecimal and as it is.
    pub(crate) fn secrets(&self) -> Vec<Vec<u8>> {
        let mut all = vec![CAN.into(), NUMBER.into(), CANARY.to_vec(), zone(), sha1(&zone()).to_vec()];
        all.extend(self.session.iter().flat_map(|s| [s.enc.clone(), s.mac.clone()]));
        all
    }

    /// Taken off the reader and laid back.
    pub(crate) fn reset(&mut self) {
        (self.selected, self.applet, self.session, self.pace) = (None, false, None, None);
        (self.bac, self.pending, self.ca_suite) = (None, None, None);
    }

    fn answer(&mut self, command: &[u8]) -> Vec<u8> {
        let [cla, ins, p1, p2] = *command.first_chunk::<4>().unwrap();
        let (mut data, mut le) = lengths(&command[4..]);
        let secure = cla & 0x0c == 0x0c;
        if self.session.is_some() && !secure {
            self.session = None;
            self.applet = false;
        }
        if secure {
            let Some(session) = &mut self.session else { return vec![0x69, 0x88] };
            match session.open(command, &data) {
                Some(opened) => (data, le) = opened,
                None => {
                    self.session = None;
                    return vec![0x69, 0x88];
                }
            }
        }
        let (body, sw) = self.act(cla, ins, [p1, p2], &data, le);
        if !secure {
            return [&body[..], &sw.to_be_bytes()].concat();
        }
        if self.profile.blunt && sw != 0x9000 {
            self.session = None;
            return sw.to_be_bytes().to_vec();
        }
        let response = self.session.as_mut().unwrap().seal(&body, sw, ins & 1 == 1);
        if let Some((suite, secret)) = self.pending.take() {
            self.session = Some(Session::of_secret(suite, &secret));
        }
        response
    }

    fn act(&mut self, cla: u8, ins: u8, [p1, p2]: [u8; 2], data: &[u8], le: usize) -> (Vec<u8>, u16) {
        let refuse = |sw: u16| (Vec::new(), sw);
        match (ins, p1, p2) {
            (0xa4, 0, 0x0c) => refuse(self.profile.master),
            (0xa4, 4, 0x0c) if data == [0xa0, 0, 0, 2, 0x47, 0x10, 1] => {
                self.applet = true;
                self.selected = None;
                refuse(0x9000)
            }
            (0xa4, 2, 0x0c) => {
                let id = u16::from_be_bytes(data.try_into().unwrap());
                let open = id == 0x011c || (self.applet && self.session.is_some());
                match id {
                    _ if !open => refuse(0x6982),
                    0x0103 => refuse(0x6982),
                    _ if !self.files.contains_key(&id) => refuse(0x6a82),
                    _ => {
                        self.selected = Some(id);
                        refuse(0x9000)
                    }
                }
            }
            (0xb0 | 0xb1, ..) => {
                let Some(file) = self.selected.map(|id| &self.files[&id]) else { return refuse(0x6986) };
                self.asked.push(le);
                if le > self.profile.most {
                    return refuse(self.profile.too_much);
                }
                let far = ins == 0xb1;
                let offset = if far {
                    let object = Reader::lenient(data).expect(0x54).unwrap();
                    object.content.iter().fold(0, |n, b| n << 8 | usize::from(*b))
                } else {
                    usize::from(p1) << 8 | usize::from(p2)
                };
                let Some(rest) = file.get(offset..) else { return refuse(0x6b00) };
                let around = if !far {
                    0
                } else if le < 0x82 {
                    2
                } else if le < 0x103 {
                    3
                } else {
                    4
                };
                let part = &rest[..rest.len().min(le - around)];
                (if far { der::tlv(0x53, part) } else { part.to_vec() }, 0x9000)
            }
            (0x84, ..) if self.applet => {
                let mut challenge = [0; 8];
                openssl::rand::rand_bytes(&mut challenge).unwrap();
                self.bac = Some(challenge);
                (challenge.to_vec(), 0x9000)
            }
            (0x82, ..) => self.external_authenticate(data).unwrap_or((vec![], 0x6300)),
            (0x22, 0xc1, 0xa4) => refuse(self.set_up_pace(data)),
            (0x86, ..) if self.pace.is_some() => {
                let step = self.general_authenticate(data, cla & 0x10 == 0);
                step.unwrap_or_else(|| {
                    self.pace = None;
                    (vec![], 0x6300)
                })
            }
            (0x22, 0x41, 0xa4) if self.session.is_some() => {
                let oid = Reader::lenient(data).expect(0x80).unwrap().content;
                self.ca_suite = Some(suite(u64::from(*oid.last().unwrap())));
                refuse(0x9000)
            }
            (0x22, 0x41, 0xa6) if self.session.is_some() => {
                let public = Reader::lenient(data).expect(0x91).unwrap().content;
                self.agree(Suite::TripleDes, public);
                refuse(0x9000)
            }
            (0x86, ..) if self.ca_suite.is_some() => {
                let outer = Reader::lenient(data).expect(0x7c).unwrap();
                let public = outer.lenient().expect(0x80).unwrap().content;
                let suite = self.ca_suite.take().unwrap();
                self.agree(suite, public);
                (der::tlv(0x7c, &[]), 0x9000)
            }
            (0x88, ..) if self.session.is_some() => self.sign(data, le),
            _ => refuse(0x6d00),
        }
    }

    fn agree(&mut self, suite: Suite, public: &[u8]) {
        let group = self.ca_key.group().to_owned_group();
        let mut context = BigNumContext::new().unwrap();
        let point = EcPoint::from_bytes(&group, public, &mut context).unwrap();
        let scalar = self.ca_key.private_key().to_owned().unwrap();
        self.pending = Some((suite, first(&group, &times(&group, &point, &scalar))));
    }

    fn sign(&self, challenge: &[u8], le: usize) -> (Vec<u8>, u16) {
        let signature = match self.aa_key.rsa() {
            Err(_) => {
                let mut signer =
                    openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &self.aa_key).unwrap();
                signer.update(challenge).unwrap();
                let signature = openssl::ecdsa::EcdsaSig::from_der(&signer.sign_to_vec().unwrap()).unwrap();
                [signature.r().to_vec_padded(32).unwrap(), signature.s().to_vec_padded(32).unwrap()].concat()
            }
            Ok(rsa) => {
                let size = rsa.size() as usize;
                let recovered = vec![0x5a; size - 1 - 20 - 1];
                let digest = sha1(&[&recovered[..], challenge].concat());
                let message = [&[0x6a], &recovered[..], &digest, &[0xbc]].concat();
                let mut out = vec![0; size];
                rsa.private_encrypt(&message, &mut out, Padding::NONE).unwrap();
                out
            }
        };
        if le < signature.len() || le > self.profile.most.max(256) {
            return (vec![], 0x6700);
        }
        (signature, 0x9000)
    }

    fn external_authenticate(&mut self, data: &[u8]) -> Option<(Vec<u8>, u16)> {
        let (des, seed) = (Suite::TripleDes, sha1(&zone()));
        let (enc, mac) = (des.derive(&seed[..16], 1), des.derive(&seed[..16], 2));
        let (sealed, theirs) = data.split_at_checked(32)?;
        if des.mac(&mac, &pad(sealed, 8))? != theirs {
            return None;
        }
        let plain = des.decrypt(&enc, &[0; 8], sealed)?;
        let challenge = self.bac.take()?;
        if plain[8..16] != challenge {
            return None;
        }
        let mut half = [0; 16];
        openssl::rand::rand_bytes(&mut half).unwrap();
        let answer = [&challenge[..], &plain[..8], &half].concat();
        let sealed = des.encrypt(&enc, &[0; 8], &answer)?;
        let proof = des.mac(&mac, &pad(&sealed, 8))?;
        let seed: Vec<u8> = plain[16..].iter().zip(half).map(|(a, b)| a ^ b).collect();
        let mut session = Session::of_secret(des, &seed);
        session.ssc = [&challenge[4..], &plain[4..8]].concat();
        self.session = Some(session);
        Some(([&sealed[..], &proof].concat(), 0x9000))
    }

    fn set_up_pace(&mut self, data: &[u8]) -> u16 {
        let Some((arc, parameter)) = self.profile.pace else { return 0x6a80 };
        if let Some(sw) = self.profile.pace_refused {
            return sw;
        }
        let mut objects = Reader::lenient(data);
        let said = objects.expect(0x80).unwrap().content.to_vec();
        if said != oid(&[4, 2, arc])[2..] {
            return 0x6a80;
        }
        let password = match objects.expect(0x83).unwrap().content {
            [1] => sha1(&zone()).to_vec(),
            [2] => CAN.as_bytes().to_vec(),
            _ => return 0x6a88,
        };
        match objects.optional(0x84).unwrap() {
            Some(id) if id.content != [parameter as u8] => return 0x6a88,
            None if self.profile.wants_parameter => return 0x6a80,
            _ => {}
        }
        self.pace = Some(Pace {
            group: EcGroup::from_curve_name(nid(parameter)).unwrap(),
            suite: suite(arc),
            oid: said,
            password,
            nonce: vec![],
            mapping: None,
            generator: None,
            agreed: None,
        });
        0x9000
    }

    fn general_authenticate(&mut self, data: &[u8], last: bool) -> Option<(Vec<u8>, u16)> {
        let pace = self.pace.as_mut()?;
        let outer = Reader::lenient(data).expect(0x7c).ok()?;
        let mut context = BigNumContext::new().unwrap();
        let object = outer.lenient().read_tlv().ok();
        let order_key = EcKey::generate(&pace.group).unwrap();
        let wrap = |tag, body: &[u8]| Some((der::tlv(0x7c, &der::tlv(tag, body)), 0x9000));
        let Some(object) = object else {
            pace.nonce = vec![0; 16];
            openssl::rand::rand_bytes(&mut pace.nonce).unwrap();
            let key = pace.suite.derive(&pace.password, 3);
            let sealed = pace.suite.encrypt(&key, &vec![0; pace.suite.block()], &pace.nonce)?;
            return wrap(0x80, &sealed);
        };
        let point =
            || EcPoint::from_bytes(&pace.group, object.content, &mut BigNumContext::new().unwrap()).ok();
        match object.tag {
            0x81 => {
                let theirs = point()?;
                let mine = order_key.private_key().to_owned().unwrap();
                let base = pace.group.generator_opt()?.to_owned(&pace.group).unwrap();
                let shared = times(&pace.group, &theirs, &mine);
                let nonce = BigNum::from_slice(&pace.nonce).unwrap();
                let mut generator = EcPoint::new(&pace.group).unwrap();
                let mapped = times(&pace.group, &base, &nonce);
                generator.add(&pace.group, &mapped, &shared, &mut context).unwrap();
                let public = bytes_of(&pace.group, &times(&pace.group, &base, &mine));
                self.zeros |= public[1] == 0 || first(&pace.group, &theirs)[0] == 0;
                (pace.mapping, pace.generator) = (Some(mine), Some(generator));
                wrap(0x82, &public)
            }
            0x83 => {
                let theirs = point()?;
                let mine = order_key.private_key().to_owned().unwrap();
                let public = bytes_of(&pace.group, &times(&pace.group, pace.generator.as_ref()?, &mine));
                let secret = first(&pace.group, &times(&pace.group, &theirs, &mine));
                self.zeros |= secret[0] == 0 || public[1] == 0;
                pace.agreed = Some((secret, object.content.to_vec(), public.clone()));
                wrap(0x84, &public)
            }
            0x85 if last => {
                let (secret, theirs, ours) = pace.agreed.as_ref()?;
                let key = pace.suite.derive(secret, 2);
                let token = |public: &[u8]| {
                    let inner = [der::tlv(0x06, &pace.oid), der::tlv(0x86, public)].concat();
                    let whole = [&[0x7f], &der::tlv(0x49, &inner)[..]].concat();
                    let whole = if pace.suite == Suite::TripleDes { pad(&whole, 8).to_vec() } else { whole };
                    pace.suite.mac(&key, &whole).unwrap()
                };
                if object.content != token(ours) {
                    return None;
                }
                let answer = token(theirs);
                self.session = Some(Session::of_secret(pace.suite, secret));
                self.pace = None;
                wrap(0x86, &answer)
            }
            _ => None,
        }
    }
}

trait Owned {
    fn to_owned_group(&self) -> EcGroup;
}

impl Owned for openssl::ec::EcGroupRef {
    fn to_owned_group(&self) -> EcGroup {
        EcGroup::from_curve_name(self.curve_name().unwrap()).unwrap()
    }
}

impl Transceiver for Chip {
    fn transceive(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
        let number = self.count;
        self.count += 1;
        let spoil = self.profile.spoil.filter(|(at, _)| *at == number).map(|(_, how)| how);
        if spoil == Some(Spoil::Gone) {
            self.reset();
            return Err(Lost);
        }
        let mut response = self.answer(command);
        let length = response.len();
        match spoil {
            Some(Spoil::PlainSuccess) => response = vec![0x90, 0],
            Some(Spoil::PlainRefusal) => response = vec![0x69, 0x82],
            Some(Spoil::WrongStatus) => response[length - 1] ^= 1,
            Some(Spoil::NoMac) if length >= 14 => drop(response.drain(length - 12..length - 2)),
            Some(Spoil::WrongMac) if length >= 14 => response[length - 3] ^= 1,
            Some(Spoil::Twice) => {
                if let Some(session) = &mut self.session {
                    session.count();
                }
            }
            _ => {}
        }
        Ok(response)
    }
}

impl Session {
    fn of_secret(suite: Suite, secret: &[u8]) -> Self {
        let (enc, mac) = (suite.derive(secret, 1).to_vec(), suite.derive(secret, 2).to_vec());
        Session { suite, enc, mac, ssc: vec![0; suite.block()] }
    }

    fn count(&mut self) {
        let number = BigNum::from_slice(&self.ssc).unwrap();
        let next = &number + &BigNum::from_u32(1).unwrap();
        self.ssc = next.to_vec_padded(self.suite.block() as i32).unwrap();
    }

    fn iv(&self) -> Vec<u8> {
        let zero = vec![0; self.suite.block()];
        if self.suite == Suite::TripleDes {
            return zero;
        }
        self.suite.encrypt(&self.enc, &zero, &self.ssc).unwrap().to_vec()
    }

    fn open(&mut self, command: &[u8], objects: &[u8]) -> Option<(Vec<u8>, usize)> {
        self.count();
        let block = self.suite.block();
        let (body, mac) = objects.split_at_checked(objects.len().checked_sub(10)?)?;
        let mut input = [&self.ssc[..], &pad(&command[..4], block)].concat();
        input.extend(body);
        if !body.is_empty() {
            input = pad(&input, block).to_vec();
        }
        if self.suite.mac(&self.mac, &input)?[..] != *mac.strip_prefix(&[0x8e, 8])? {
            return None;
        }
        let (mut data, mut le, mut reader) = (Vec::new(), 0, Reader::lenient(body));
        while let Ok(object) = reader.read_tlv() {
            match object.tag {
                0x87 | 0x85 => {
                    let sealed = if object.tag == 0x87 { &object.content[1..] } else { object.content };
                    let plain = self.suite.decrypt(&self.enc, &self.iv(), sealed)?;
                    data = unpad(&plain, block)?.to_vec();
                }
                0x97 => {
                    le = object.content.iter().fold(0, |n, b| n << 8 | usize::from(*b));
                    if le == 0 {
                        le = 1 << (8 * object.content.len());
                    }
                }
                _ => return None,
            }
        }
        Some((data, le))
    }

    fn seal(&mut self, data: &[u8], sw: u16, odd: bool) -> Vec<u8> {
        self.count();
        let block = self.suite.block();
        let mut out = Vec::new();
        if !data.is_empty() {
            let sealed = self.suite.encrypt(&self.enc, &self.iv(), &pad(data, block)).unwrap();
            let sealed =
                if odd { der::tlv(0x85, &sealed) } else { der::tlv(0x87, &[&[1], &sealed[..]].concat()) };
            out.extend(sealed);
        }
        out.extend(der::tlv(0x99, &sw.to_be_bytes()));
        let input = pad(&[&self.ssc[..], &out].concat(), block);
        out.extend(der::tlv(0x8e, &self.suite.mac(&self.mac, &input).unwrap()));
        out.extend(sw.to_be_bytes());
        out
    }
}

/// Data field and expected length of a command.
fn lengths(rest: &[u8]) -> (Vec<u8>, usize) {
    let le = |bytes: &[u8]| match bytes {
        [] => 0,
        [0] => 256,
        [0, 0] => 65_536,
        bytes => bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b)),
    };
    match rest {
        [] => (vec![], 0),
        [short] => (vec![], le(&[*short])),
        [0, a, b] => (vec![], le(&[*a, *b])),
        [0, a, b, body @ ..] => {
            let (data, tail) = body.split_at(usize::from(*a) << 8 | usize::from(*b));
            (data.to_vec(), le(tail))
        }
        [length, body @ ..] => {
            let (data, tail) = body.split_at(usize::from(*length));
            (data.to_vec(), le(tail))
        }
    }
}

/// EF.SOD with a list and a signature of nobody: good enough to be read.
fn sod(hashes: &[Vec<u8>]) -> Vec<u8> {
    use openssl::cms::{CMSOptions, CmsContentInfo};
    let sha256 = der::sequence(&[&der::oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1])]);
    let parts: Vec<&[u8]> = hashes.iter().map(Vec::as_slice).collect();
    let list = der::sequence(&[&der::integer(&[0]), &sha256, &der::sequence(&parts)]);
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut builder = openssl::x509::X509::builder().unwrap();
    let mut name = openssl::x509::X509Name::builder().unwrap();
    name.append_entry_by_text("C", "VN").unwrap();
    let name = name.build();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&openssl::asn1::Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&openssl::asn1::Asn1Time::days_from_now(9).unwrap()).unwrap();
    builder.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
    let certificate = builder.build();
    let flags = CMSOptions::BINARY | CMSOptions::NOATTR;
    let cms = CmsContentInfo::sign(Some(&certificate), Some(&key), None, Some(&list), flags).unwrap();
    // The bindings cannot set the type of the content: id-data becomes that of a list of data groups.
    let bytes = cms.to_der().unwrap();
    der::tlv(0x77, &retype(&bytes))
}

/// Writes the same SignedData with ldsSecurityObject as type of its content.
fn retype(cms: &[u8]) -> Vec<u8> {
    let mut outer = der::only(cms, 0x30).unwrap().reader();
    let kind = outer.expect(0x06).unwrap().raw;
    let mut fields = outer.expect(0xa0).unwrap().reader().expect(0x30).unwrap().reader();
    let version = fields.expect(0x02).unwrap().raw;
    let digests = fields.expect(0x31).unwrap().raw;
    let mut content = fields.expect(0x30).unwrap().reader();
    content.expect(0x06).unwrap();
    let content = der::sequence(&[&der::oid(&[2, 23, 136, 1, 1, 1]), content.rest()]);
    let signed = der::sequence(&[version, digests, &content, fields.rest()]);
    der::sequence(&[kind, &der::tlv(0xa0, &signed)])
}
