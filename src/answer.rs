//! The answer of a server: read to its end, but no further than is allowed, and what a line that broke is called.

use reqwest::Response;

/// Why there is no whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheard {
    /// The line was silent or broke; the word says how.
    Silent(&'static str),
    /// It says, or turned out, to be longer than this many bytes.
    TooLong(usize),
}

/// The whole body, where it is no longer than `most` bytes; what it announces is checked before memory is taken.
///
/// # Errors
/// [`Unheard`].
pub async fn whole(reply: &mut Response, most: usize) -> Result<Vec<u8>, Unheard> {
    if reply.content_length().is_some_and(|announced| announced > most as u64) {
        return Err(Unheard::TooLong(most));
    }
    let mut body = Vec::new();
    while let Some(chunk) = reply.chunk().await.map_err(|error| Unheard::Silent(how(&error)))? {
        if body.len() + chunk.len() > most {
            return Err(Unheard::TooLong(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What became of a call. The error's own text would name the address; its kind is enough.
pub fn how(error: &reqwest::Error) -> &'static str {
    match () {
        () if error.is_timeout() => "timeout",
        () if error.is_connect() => "no connection",
        () => "the transfer broke off",
    }
}

impl std::fmt::Display for Unheard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unheard::Silent(how) => f.write_str(how),
            Unheard::TooLong(most) => write!(f, "more than {most} bytes"),
        }
    }
}
