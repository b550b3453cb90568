//! PACE with generic mapping over elliptic curves (Doc 9303-11, 4.4).

use super::Card;
use super::apdu::{Answer, Command};
use super::curve::{Curve, Pair};
use super::messaging::Messaging;
use super::quirks::PaceStep;
use super::suite::{Purpose, Suite};
use super::tlv::{objects, oid, split, tlv};
use openssl::ec::EcPoint;

/// One run, as far as it has come.
pub(super) struct Run {
    suite: Suite,
    curve: Curve,
    /// From the password.
    key: Vec<u8>,
    step: PaceStep,
    nonce: Vec<u8>,
    base: Option<EcPoint>,
    keys: Option<Agreed>,
}

/// What the agreement over the mapped base gave.
struct Agreed {
    terminal: Vec<u8>,
    chip: Vec<u8>,
    secret: Vec<u8>,
}

/// id-PACE-ECDH-GM.
pub(super) const GENERIC_MAPPING: &str = "0.4.0.127.0.7.2.2.4.2";

impl Card {
    pub(super) fn start_pace(&mut self, command: &Command) -> Answer {
        self.state.pace = None;
        self.state.chip_key = None;
        match self.chosen(command) {
            Err(status) => Answer::status(status),
            Ok(run) => {
                if let Some((PaceStep::Start, status)) = self.quirks.pace_fails {
                    return Answer::status(status);
                }
                self.state.pace = Some(run);
                Answer::status(0x9000)
            }
        }
    }

    /// Which protocol, password and curve MSE:Set AT names.
    fn chosen(&self, command: &Command) -> Result<Run, u16> {
        let all = objects(&command.data).ok_or(0x6a80_u16)?;
        let find = |tag: u32| all.iter().find(|(t, _)| *t == tag).map(|(_, content)| *content);
        if all.iter().any(|(tag, _)| !matches!(tag, 0x80 | 0x83 | 0x84 | 0x7f4c)) {
            return Err(0x6a80);
        }
        let protocol = find(0x80).ok_or(0x6a80_u16)?;
        let mut infos: Vec<_> = self.chip.pace.clone();
        infos.retain(|(suite, _)| oid(&format!("{GENERIC_MAPPING}.{}", suite.arc())) == protocol);
        match find(0x84) {
            None if self.quirks.needs_parameter_id => return Err(0x6a80),
            None => {}
            Some([number]) => infos.retain(|(_, n)| n == number),
            Some(_) => return Err(0x6a80),
        }
        // Several curves for one protocol and none named: there is no telling which.
        let &[(suite, number)] = &infos[..] else { return Err(0x6a80) };
        let secret = match find(0x83) {
            Some([1]) => openssl::sha::sha1(self.chip.zone.as_bytes()).to_vec(),
            Some([2]) => self.chip.can.clone().into_bytes(),
            Some(_) => return Err(0x6a88),
            None => return Err(0x6a80),
        };
        Ok(Run {
            suite,
            curve: Curve::standardised(number),
            key: suite.derive(&secret, Purpose::Password),
            step: PaceStep::Nonce,
            nonce: vec![],
            base: None,
            keys: None,
        })
    }

    pub(super) fn pace(&mut self, command: &Command, chained: bool) -> Answer {
        let mut run = self.state.pace.take().unwrap();
        let step = run.step;
        if let Some((at, status)) = self.quirks.pace_fails
            && at == step
        {
            return Answer::status(status);
        }
        if command.le.is_none() {
            return Answer::status(0x6700);
        }
        // The last command of the chain says that it is the last.
        if chained == (step == PaceStep::Token) {
            return Answer::status(if chained { 0x6883 } else { 0x6985 });
        }
        let Some((0x7c, template, [])) = split(&command.data) else { return Answer::status(0x6a80) };
        let Some(fields) = objects(template) else { return Answer::status(0x6a80) };
        let answered = match (step, &fields[..]) {
            (PaceStep::Nonce, []) => Ok(self.give_nonce(&mut run)),
            (PaceStep::Map, [(0x81, point)]) => self.map(&mut run, point),
            (PaceStep::Agree, [(0x83, point)]) => self.agree(&mut run, point),
            (PaceStep::Token, [(0x85, token)]) => return self.finish(&run, token),
            _ => Err(0x6a80),
        };
        match answered {
            Err(status) => Answer::status(status),
            Ok(data) => {
                self.state.pace = Some(run);
                Answer::ok(tlv(0x7c, &[&data]))
            }
        }
    }

    fn give_nonce(&mut self, run: &mut Run) -> Vec<u8> {
        run.nonce = self.random(16);
        run.step = PaceStep::Map;
        tlv(0x80, &[&run.suite.encrypt(&run.key, &[], &run.nonce)])
    }

    fn map(&mut self, run: &mut Run, point: &[u8]) -> Result<Vec<u8>, u16> {
        let terminal = run.curve.decode(point).ok_or(0x6a80_u16)?;
        let own = self.pair_over(run, None);
        if own.public == point {
            return Err(0x6a80);
        }
        let shared = run.curve.times(&terminal, &own.secret);
        run.base = Some(run.curve.mapped(&run.nonce, &shared));
        run.step = PaceStep::Agree;
        Ok(tlv(0x82, &[&own.public]))
    }

    fn agree(&mut self, run: &mut Run, point: &[u8]) -> Result<Vec<u8>, u16> {
        let terminal = run.curve.decode(point).ok_or(0x6a80_u16)?;
        let base = run.base.take().unwrap();
        let own = self.pair_over(run, Some(&base));
        if own.public == point {
            return Err(0x6a80);
        }
        let chip = if self.quirks.pace_reflects { point.to_vec() } else { own.public };
        let secret = run.curve.x(&run.curve.times(&terminal, &own.secret));
        run.keys = Some(Agreed { terminal: point.to_vec(), chip: chip.clone(), secret });
        run.step = PaceStep::Token;
        Ok(tlv(0x84, &[&chip]))
    }

    /// Tokens are over the other side's public key (9303-11, 4.4.3.4).
    fn finish(&mut self, run: &Run, token: &[u8]) -> Answer {
        let agreed = run.keys.as_ref().unwrap();
        let mac = run.suite.derive(&agreed.secret, Purpose::Mac);
        let protocol = oid(&format!("{GENERIC_MAPPING}.{}", run.suite.arc()));
        let over = |key: &[u8]| {
            let object = tlv(0x7f49, &[&tlv(0x06, &[&protocol]), &tlv(0x86, &[key])]);
            run.suite.token(&mac, &object)
        };
        if over(&agreed.chip) != token {
            return Answer::status(0x6300);
        }
        let mut own = over(&agreed.terminal);
        if self.quirks.pace_bad_token {
            own[7] ^= 1;
        }
        self.state.open = true;
        self.state.next = Some(Messaging::new(run.suite, &agreed.secret));
        Answer::ok(tlv(0x7c, &[&tlv(0x86, &[&own])]))
    }

    fn pair_over(&mut self, run: &Run, base: Option<&EcPoint>) -> Pair {
        let given = self.fixed.pop_front();
        let base = base.map_or(run.curve.generator(), |point| point);
        run.curve.pair(base, given)
    }
}
