//! One session and one login for every token of this process, and the queue before it.

use super::{
    MODULE, PIN_LAST_TRY, PIN_LOCKED, PIN_WRONG, TOKEN_ABSENT, TOKEN_FAILED, TOKEN_GONE, TOKEN_UNCLEAR, Uri,
};
use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use zeroize::Zeroizing;

/// A token somebody is logged in at.
pub(super) struct Token {
    session: Mutex<Session>,
    gone: AtomicBool,
}

impl Token {
    /// Does something at the token once it is this caller's turn. After the token was lost nothing is asked of it.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Session) -> Outcome<T>) -> Outcome<T> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_gone() {
            return Err(Fault::new(&TOKEN_GONE));
        }
        let done = work(&session);
        if done.as_ref().is_err_and(|fault| fault.code == &TOKEN_GONE) {
            self.gone.store(true, Ordering::Release);
        }
        done
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }
}

/// The token that a URI names, logged in; the same one for everybody who asks.
pub(super) fn open(uri: &Uri, pin: &Zeroizing<String>, last_try: bool) -> Outcome<Arc<Token>> {
    // Held to the end: two threads must not both try a PIN.
    let mut house = HOUSE.lock().unwrap_or_else(PoisonError::into_inner);
    let module = house.module(&uri.module)?;
    let (slot, info) = choose(&module, uri)?;
    let place: Place = (uri.module.clone(), info.serial_number().to_owned(), slot.id());
    if let Some(token) = house.tokens.get(&place).and_then(Weak::upgrade)
        && !token.is_gone()
    {
        return Ok(token);
    }
    let session = module.open_ro_session(slot).map_err(fault)?;
    let token = Arc::new(Token { session: Mutex::new(session), gone: AtomicBool::new(false) });
    token.with(|session| house.log_in(session, &place, &info, pin, last_try))?;
    house.tokens.insert(place, Arc::downgrade(&token));
    Ok(token)
}

/// CKM_RSA_PKCS over a DigestInfo.
pub(super) fn sign_rsa(
    session: &Session,
    key: ObjectHandle,
    data: &[u8],
    pin: Option<&String>,
) -> Outcome<Vec<u8>> {
    sign(session, &Mechanism::RsaPkcs, key, data, pin)
}

/// CKM_ECDSA over a digest.
pub(super) fn sign_ec(
    session: &Session,
    key: ObjectHandle,
    data: &[u8],
    pin: Option<&String>,
) -> Outcome<Vec<u8>> {
    sign(session, &Mechanism::Ecdsa, key, data, pin)
}

fn sign(
    session: &Session,
    mechanism: &Mechanism<'_>,
    key: ObjectHandle,
    data: &[u8],
    pin: Option<&String>,
) -> Outcome<Vec<u8>> {
    let Some(pin) = pin else { return session.sign(mechanism, key, data).map_err(fault) };
    // The PIN has to come between the beginning and the end of the operation (PKCS#11, 4.9: CKA_ALWAYS_AUTHENTICATE).
    session.sign_init(mechanism, key).map_err(fault)?;
    session.login(UserType::ContextSpecific, Some(&AuthPin::new(pin.as_str().into()))).map_err(fault)?;
    session.sign_update(data).and_then(|()| session.sign_final()).map_err(|e| match e {
        Error::Pkcs11(RvError::FunctionNotSupported | RvError::OperationNotInitialized, _) => {
            Fault::new(&TOKEN_FAILED)
                .detail("it wants the PIN before every signature, and cannot take it in parts")
        }
        other => fault(other),
    })
}

/// What a failure means for whoever waits: the texts of modules are not passed on.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn fault(error: Error) -> Fault {
    match error {
        Error::Pkcs11(
            RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::UserNotLoggedIn
            | RvError::SlotIdInvalid
            | RvError::CryptokiNotInitialized,
            _,
        ) => Fault::new(&TOKEN_GONE),
        Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
            Fault::new(&PIN_WRONG)
        }
        Error::Pkcs11(RvError::PinLocked | RvError::PinExpired | RvError::UserPinNotInitialized, _) => {
            Fault::new(&PIN_LOCKED)
        }
        Error::Pkcs11(code, function) => Fault::new(&TOKEN_FAILED).detail(format!("{function:?}: {code:?}")),
        Error::LibraryLoading(_) | Error::MissingSymbol(_) => Fault::new(&MODULE),
        _ => Fault::new(&TOKEN_FAILED).detail("its library answered what cannot be understood"),
    }
}

/// Module, serial number, slot.
type Place = (PathBuf, String, u64);

/// The modules and tokens of this process: PKCS#11 knows one login of an application at a token, not one a key.
#[derive(Default)]
struct House {
    modules: HashMap<PathBuf, Pkcs11>,
    tokens: HashMap<Place, Weak<Token>>,
    /// PINs that a token refused, as salted digests: each is tried once in the life of this process.
    refused: HashMap<Place, Vec<Sha256>>,
    salt: [u8; 32],
}

static HOUSE: LazyLock<Mutex<House>> = LazyLock::new(|| {
    let mut house = House::default();
    // Without random numbers the digests are unsalted, nothing else.
    let _ = openssl::rand::rand_bytes(&mut house.salt);
    Mutex::new(house)
});

impl House {
    fn module(&mut self, path: &Path) -> Outcome<Pkcs11> {
        if let Some(module) = self.modules.get(path) {
            return Ok(module.clone());
        }
        let at = |fault: Fault| fault.at(path.display());
        let module = Pkcs11::new(path).map_err(|_| at(Fault::new(&MODULE)))?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(Error::Pkcs11(code, _)) => return Err(at(Fault::new(&MODULE).detail(format!("{code:?}")))),
            Err(_) => return Err(at(Fault::new(&MODULE))),
        }
        self.modules.insert(path.to_owned(), module.clone());
        Ok(module)
    }

    fn log_in(
        &mut self,
        session: &Session,
        place: &Place,
        info: &TokenInfo,
        pin: &Zeroizing<String>,
        last_try: bool,
    ) -> Outcome<()> {
        if !info.login_required() {
            return Ok(());
        }
        if info.user_pin_locked() || !info.user_pin_initialized() {
            return Err(Fault::new(&PIN_LOCKED));
        }
        if info.protected_authentication_path() && pin.is_empty() {
            return done(session.login(UserType::User, None));
        }
        // A length that the token cannot take would cost a try for nothing. Some tokens give zeros for the bounds.
        let (shortest, longest) = (info.min_pin_length(), info.max_pin_length());
        if pin.is_empty() || pin.len() < shortest || (longest > 0 && pin.len() > longest) {
            return Err(
                Fault::new(&PIN_WRONG).detail("of a length that the token does not take; it was not tried")
            );
        }
        if info.user_pin_final_try() && !last_try {
            return Err(Fault::new(&PIN_LAST_TRY));
        }
        let print = Sha256::of(&[&self.salt[..], pin.as_bytes()].concat());
        let refused = self.refused.entry(place.clone()).or_default();
        if refused.contains(&print) {
            return Err(Fault::new(&PIN_WRONG).detail("refused before; it was not tried again"));
        }
        let answer = done(session.login(UserType::User, Some(&AuthPin::new(pin.as_str().into()))));
        if answer.as_ref().is_err_and(|f| f.code == &PIN_WRONG) {
            refused.push(print);
        }
        answer
    }
}

fn done(login: cryptoki::error::Result<()>) -> Outcome<()> {
    match login {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(e) => Err(fault(e)),
    }
}

fn choose(module: &Pkcs11, uri: &Uri) -> Outcome<(Slot, TokenInfo)> {
    let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|w| w == is.trim_end());
    let mut found = Vec::new();
    for slot in module.get_slots_with_token().map_err(fault)? {
        if uri.slot.is_some_and(|wanted| wanted != slot.id()) {
            continue;
        }
        // A token that is pulled out in this moment is one that is not there.
        let Ok(info) = module.get_token_info(slot) else { continue };
        let named = fits(&uri.token, info.label())
            && fits(&uri.serial, info.serial_number())
            && fits(&uri.manufacturer, info.manufacturer_id())
            && fits(&uri.model, info.model());
        if named && info.token_initialized() {
            found.push((slot, info));
        }
    }
    let count = found.len();
    match (found.pop(), count) {
        (Some(only), 1) => Ok(only),
        (None, _) => Err(Fault::new(&TOKEN_ABSENT)),
        _ => Err(Fault::new(&TOKEN_UNCLEAR).detail(format!("{count} tokens"))),
    }
}
