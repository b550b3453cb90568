//! The child's side: keeps the last file open and answers questions about its pages.

use super::judge;
use super::message::{Ask, Crossed, Form, ImageHead, Told, What};
use crate::fault::{Fault, Outcome};
use crate::original::Original;
use crate::page::Coding;
use crate::sandbox::{Answer, NONSENSE};
use crate::scan::{Kind, Limits, Source, open};
use rustix::fd::OwnedFd;

/// What a decoder remembers between two requests.
#[derive(Default)]
pub struct Answering {
    file: Option<OwnedFd>,
    source: Option<Source>,
}

impl Answering {
    /// Answers one request; a file that comes with it takes the place of the last one.
    pub fn answer(&mut self, header: &[u8], file: Option<OwnedFd>) -> Answer {
        if file.is_some() {
            (self.file, self.source) = (file, None);
        }
        let told = match serde_json::from_slice::<Ask>(header) {
            Ok(ask) => self.told(&ask),
            Err(_) => Err(Fault::new(&NONSENSE).detail("a request of another version")),
        };
        let (told, payload) = told.unwrap_or_else(|fault| (Told::Refused(Crossed::of(&fault)), Vec::new()));
        Answer { header: serde_json::to_vec(&told).unwrap_or_default(), payload }
    }

    fn told(&mut self, ask: &Ask) -> Outcome<(Told, Vec<u8>)> {
        let source = self.source(ask.length, &ask.limits)?;
        match &ask.what {
            What::Open => {
                let pages = source.pages().iter().map(|p| p.clone().map_err(|f| Crossed::of(&f))).collect();
                let opened = Told::Opened { kind: source.kind(), signed: source.signed(), pages };
                Ok((opened, Vec::new()))
            }
            What::Judge { page, profile, codes } => {
                let judged = judge::judge(source, *page, profile, codes.as_ref())?;
                Ok((Told::Judged(Box::new(judged)), Vec::new()))
            }
            What::Image { page, form } => {
                let image = judge::image(source, *page, *form)?;
                // What lies behind the end of a picture is no part of it.
                let is_all =
                    matches!(&image.coding, Coding::Jpeg { bytes, .. } if bytes.len() as u64 == ask.length);
                let whole = is_all
                    && source.kind() == Kind::Jpeg
                    && image.head.recoded.is_none()
                    && *form != Form::Drawn;
                let (head, payload) = ImageHead::split(image, whole);
                Ok((Told::Image(head), payload))
            }
        }
    }

    fn source(&mut self, length: u64, limits: &Limits) -> Outcome<&Source> {
        if self.source.is_none() {
            let file = self.file.as_ref().ok_or(&NONSENSE)?;
            let file = file.try_clone().map_err(|e| Fault::new(&NONSENSE).detail(e.kind()))?;
            self.source = Some(open(Original::handed_over(file.into(), length), limits)?);
        }
        self.source.as_ref().ok_or_else(|| Fault::new(&NONSENSE))
    }
}
