//! What authorities on the way to an anchor forbid those below them: names outside of theirs (RFC 5280 4.2.1.10, judged by
//! OpenSSL), and policies that nobody agreed to. Everything else about the way is judged before.

use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509StoreContext};

use super::agreed_policies;
use super::anchors::common_name;
use crate::cms::known::{self, same};

/// Name constraints, policy constraints, mappings of policies, and the end of any policy.
pub(super) const KNOWN: [&str; 4] =
    [NAMES, agreed_policies::CONSTRAINTS, agreed_policies::MAPPINGS, agreed_policies::NO_ANY];
const NAMES: &str = "2.5.29.30";

/// Whether a way, from the end certificate to the anchor, keeps to what is said on it.
///
/// # Errors
/// Who broke what.
pub(super) fn hold(route: &[X509]) -> Result<(), String> {
    agreed_policies::hold(route)?;
    let says = |certificate: &X509| {
        known::facts(certificate).is_ok_and(|facts| facts.parts.extension(NAMES).is_some())
    };
    let [end, between @ .., anchor] = route else { return Ok(()) };
    if !route.iter().any(says) {
        return Ok(());
    }
    let judged = judge(end, between, anchor, route);
    drop(ErrorStack::get());
    judged.unwrap_or_else(|_| Err("constraints that cannot be judged".to_owned()))
}

fn judge(
    end: &X509,
    between: &[X509],
    anchor: &X509,
    route: &[X509],
) -> Result<Result<(), String>, ErrorStack> {
    let mut parameters = X509VerifyParam::new()?;
    // Which time counts, and what the certificate is for, are judged elsewhere; a signer's name is no host's.
    parameters.set_flags(X509VerifyFlags::NO_CHECK_TIME)?;
    parameters.set_hostflags(X509CheckFlags::NEVER_CHECK_SUBJECT);
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(anchor.clone())?;
    store.set_param(&parameters)?;
    let store = store.build();
    let mut chain = Stack::new()?;
    for certificate in between {
        chain.push(certificate.clone())?;
    }
    X509StoreContext::new()?.init(&store, end, &chain, |context| {
        if !context.verify_cert()? {
            let why = context.error().error_string();
            // Authorities are named, people are not.
            let whose = context.current_cert().filter(|_| context.error_depth() > 0).map(common_name);
            return Ok(Err(whose.map_or(why.to_owned(), |whose| format!("{whose}: {why}"))));
        }
        // The same certificates can make another way, on which less is said.
        let taken = context.chain().map(|chain| chain.iter().collect::<Vec<_>>()).unwrap_or_default();
        let same = taken.len() == route.len() && taken.iter().zip(route).all(|(a, b)| same(a, b));
        Ok(if same { Ok(()) } else { Err("constraints that cannot be judged".to_owned()) })
    })
}
