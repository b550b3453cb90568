//! The line to a receiver: one HTTP client per sink that follows no redirect, waits no longer than it was told,
//! and reads no more of an answer than it was told.

use crate::fault::{Class, Code, Fault, Outcome};
use reqwest::{Client, Response, Url};
use std::net::IpAddr;
use std::time::Duration;

/// How a sink is reached.
#[derive(Debug, Clone)]
pub struct Line {
    /// Longest wait for the connection, TLS included.
    pub connect: Duration,
    /// Longest wait for a whole answer, the sending of the body included.
    pub answer: Duration,
    /// The only certificate authorities trusted for this sink, PEM; `None` trusts those of the system.
    pub authorities_pem: Option<Vec<u8>>,
    /// Our certificate chain and PKCS#8 key for mutual TLS, PEM.
    pub identity_pem: Option<(Vec<u8>, zeroize::Zeroizing<Vec<u8>>)>,
}

impl Default for Line {
    fn default() -> Self {
        Line {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            authorities_pem: None,
            identity_pem: None,
        }
    }
}

/// The client of one sink. It keeps connections open between deliveries.
///
/// Redirects are never followed: a signed request says where it goes. Nothing is retried here, the outbox does
/// that. Proxies named in the environment are not used: where a result goes is the station's setting alone.
///
/// # Errors
/// [`CLIENT_SETUP`] when certificates or the key cannot be used.
pub fn client(line: &Line) -> Outcome<Client> {
    let wrong = |what: &str| Fault::new(&CLIENT_SETUP).detail(what);
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(line.connect)
        .timeout(line.answer)
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("hoso/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = &line.authorities_pem {
        let authorities = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| wrong("authorities"))?;
        if authorities.is_empty() {
            return Err(wrong("authorities"));
        }
        builder = builder.tls_certs_only(authorities);
    }
    if let Some((chain, key)) = &line.identity_pem {
        builder =
            builder.identity(reqwest::Identity::from_pkcs8_pem(chain, key).map_err(|_| wrong("identity"))?);
    }
    builder.build().map_err(|_| wrong("TLS"))
}

/// Reads the address of a sink: `https`, or `http` to this machine itself; no user, password, query or fragment.
///
/// # Errors
/// [`BAD_ADDRESS`], [`PLAIN_HTTP`].
pub fn address(text: &str) -> Outcome<Url> {
    let url: Url = text.parse().map_err(|_| Fault::new(&BAD_ADDRESS))?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !bare || url.host_str().is_none() {
        return Err(Fault::new(&BAD_ADDRESS));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(Fault::new(&PLAIN_HTTP)),
        _ => Err(Fault::new(&BAD_ADDRESS)),
    }
}

/// The address of something below a base, whether or not the base ends in a slash.
pub(crate) fn below(base: &Url, path: &str) -> Outcome<Url> {
    let joined = format!("{}/{}", base.as_str().trim_end_matches('/'), path.trim_start_matches('/'));
    joined.parse().map_err(|_| Fault::new(&BAD_ADDRESS))
}

/// Reads a whole answer, but no more than `limit` bytes of it.
///
/// # Errors
/// [`ANSWER_TOO_LARGE`], or what [`failure`] says of a line that broke.
pub(crate) async fn body(mut response: Response, limit: usize) -> Outcome<Vec<u8>> {
    if response.content_length().is_some_and(|announced| announced > limit as u64) {
        return Err(Fault::new(&ANSWER_TOO_LARGE).detail(format!("limit {limit} bytes")));
    }
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(bytes),
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= limit => bytes.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err(Fault::new(&ANSWER_TOO_LARGE).detail(format!("limit {limit} bytes"))),
            Err(error) => return Err(failure(&error)),
        }
    }
}

/// What a broken line is called. The error's own text is dropped: it holds the address.
pub(crate) fn failure(error: &reqwest::Error) -> Fault {
    if error.is_connect() {
        Fault::new(&UNREACHABLE)
    } else if error.is_timeout() {
        Fault::new(&TIMED_OUT)
    } else {
        Fault::new(&CUT_OFF)
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// No connection: nothing was sent.
pub const UNREACHABLE: Code = Code {
    id: "SEND-001",
    class: Class::Later,
    vi: "Không kết nối được nơi nhận",
    en: "the receiver cannot be reached",
    remedy_vi: "Hệ thống sẽ tự gửi lại; nếu kéo dài, kiểm tra đường truyền và địa chỉ nơi nhận",
    remedy_en: "it is tried again by itself; if it lasts, check the line and the receiver's address",
};

/// No answer in time: whether it arrived is not known.
pub const TIMED_OUT: Code = Code {
    id: "SEND-002",
    class: Class::Later,
    vi: "Nơi nhận không trả lời kịp thời hạn",
    en: "the receiver did not answer in time",
    remedy_vi: "Hệ thống sẽ hỏi lại nơi nhận trước khi gửi lại",
    remedy_en: "the receiver is asked before anything is sent again",
};

/// The line broke before the answer was whole: whether it arrived is not known.
pub const CUT_OFF: Code = Code {
    id: "SEND-003",
    class: Class::Later,
    vi: "Mất kết nối trước khi nhận đủ câu trả lời",
    en: "the connection was lost before the answer was whole",
    remedy_vi: "Hệ thống sẽ hỏi lại nơi nhận trước khi gửi lại",
    remedy_en: "the receiver is asked before anything is sent again",
};

/// An answer longer than any honest one.
pub const ANSWER_TOO_LARGE: Code = Code {
    id: "SEND-004",
    class: Class::Later,
    vi: "Câu trả lời của nơi nhận dài quá mức cho phép",
    en: "the receiver's answer is larger than allowed",
    remedy_vi: "Hệ thống sẽ tự gửi lại; nếu kéo dài, báo cho đơn vị quản lý nơi nhận",
    remedy_en: "it is tried again by itself; if it lasts, tell whoever runs the receiver",
};

/// Certificates or key of a sink cannot be used.
pub const CLIENT_SETUP: Code = Code {
    id: "SEND-005",
    class: Class::Setup,
    vi: "Không dùng được chứng thư hoặc khóa kết nối của nơi nhận",
    en: "the connection's certificates or key cannot be used",
    remedy_vi: "Kiểm tra các tệp chứng thư và khóa khai cho nơi nhận này",
    remedy_en: "check the certificate and key files given for this receiver",
};

/// A sink elsewhere without TLS.
pub const PLAIN_HTTP: Code = Code {
    id: "SEND-006",
    class: Class::Setup,
    vi: "Địa chỉ nơi nhận không được mã hóa",
    en: "the receiver's address is not encrypted",
    remedy_vi: "Dùng địa chỉ https; http chỉ được dùng trong chính máy này",
    remedy_en: "use https; http is only for this machine itself",
};

/// An address that cannot be one.
pub const BAD_ADDRESS: Code = Code {
    id: "SEND-007",
    class: Class::Setup,
    vi: "Địa chỉ nơi nhận không hợp lệ",
    en: "the receiver's address is not valid",
    remedy_vi: "Ghi địa chỉ dạng https://máy/đường-dẫn, không kèm tài khoản hay tham số",
    remedy_en: "write it as https://host/path, without user, password or parameters",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_addresses_leave_this_machine() {
        assert!(address("https://wallet.example/h/1").is_ok());
        assert!(address("http://127.0.0.1:80").is_ok());
        assert!(address("http://[::1]:81/x").is_ok());
        assert!(address("http://localhost:81").is_ok());
        assert_eq!(address("http://wallet.example").unwrap_err().code, &PLAIN_HTTP);
        assert_eq!(address("http://127.0.0.1.example").unwrap_err().code, &PLAIN_HTTP);
        for bad in ["ftp://x", "https://u:p@x/", "https://x/?a=1", "https://x/#f", "wallet", ""] {
            assert_eq!(address(bad).unwrap_err().code, &BAD_ADDRESS, "{bad}");
        }
    }

    #[test]
    fn a_path_goes_below_its_base_with_or_without_a_slash() {
        for base in ["http://127.0.0.1:1/h", "http://127.0.0.1:1/h/"] {
            assert_eq!(
                below(&address(base).unwrap(), "/v1/x").unwrap().as_str(),
                "http://127.0.0.1:1/h/v1/x"
            );
        }
    }
}
