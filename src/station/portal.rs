//! The portal's adapters of this station, opened as `hoso.toml` says, and the key that signs the links they are given.

use super::config::{Endpoints, RecipientConfig, Reference};
use super::{MISFIT, Station};
use crate::deliver::file_link::{LinkKey, Links};
use crate::deliver::link;
use crate::deliver::portal::PortalSink;
use crate::deliver::portal::adapter::{self, Adapter};
use crate::deliver::portal::dialect::{Dialect, Envelope, Session};
use crate::fault::{Fault, Outcome};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use zeroize::Zeroizing;

impl Station {
    /// A recipient that is an adapter of the portal.
    ///
    /// # Errors
    /// `STAT-003` where it is none or lacks something, `STAT-004`, `SEND-001` where its address is not there yet, `SEND-006`,
    /// `SEND-007`, `SEND-140` for its tables, `SEND-141`, `SEND-142` for its links.
    pub fn portal(&self, name: &str) -> Outcome<PortalSink> {
        let mut sink = self.portal_alone(name)?;
        if let Some(RecipientConfig::Dvcqg { ask_through: Some(other), .. }) =
            self.config.recipients.get(name)
        {
            let asks = self.portal_alone(other)?;
            if asks.dialect() != Dialect::Session {
                return Err(misfit(format!("recipients.{name}: ask-through names no session adapter")));
            }
            sink.asks = Some(Box::new(asks));
        }
        Ok(sink)
    }

    /// The names of all recipients that are adapters of the portal.
    pub fn portals(&self) -> Vec<&str> {
        let portal = |config: &RecipientConfig| matches!(config, RecipientConfig::Dvcqg { .. });
        self.config.recipients.iter().filter(|(_, c)| portal(c)).map(|(name, _)| name.as_str()).collect()
    }

    /// The key that signs links to files, `var/file-link.key`; minted when it is first needed.
    ///
    /// # Errors
    /// `SEND-141`.
    pub fn link_key(&self) -> Outcome<LinkKey> {
        let path = self.path("var/file-link.key");
        let unusable = |e: std::io::Error| Fault::new(&crate::deliver::file_link::BAD_KEY).detail(e.kind());
        match fs::read(&path) {
            Ok(bytes) => return LinkKey::new(bytes),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(unusable(e)),
        }
        fs::create_dir_all(self.path("var")).map_err(unusable)?;
        let part = self.path(format!("var/file-link.{}.part", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)
            .map_err(unusable)?;
        file.write_all(&LinkKey::mint()?).and_then(|()| file.sync_all()).map_err(unusable)?;
        // Of two processes that mint at once, one is first and both use its key.
        let linked = fs::hard_link(&part, &path);
        let _ = fs::remove_file(&part);
        match linked {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(unusable(e)),
            _ => {
                fs::File::open(self.path("var")).and_then(|folder| folder.sync_all()).map_err(unusable)?;
                LinkKey::new(fs::read(&path).map_err(unusable)?)
            }
        }
    }

    fn portal_alone(&self, name: &str) -> Outcome<PortalSink> {
        let Some(RecipientConfig::Dvcqg {
            dialect,
            url,
            username,
            password,
            unit,
            dstcode,
            links,
            link_days,
            endpoints,
            adapter,
            waived,
            ..
        }) = self.config.recipients.get(name)
        else {
            return Err(misfit(format!("[recipients.{name}.dvcqg] is not in hoso.toml")));
        };
        // An address that is not there yet is a recipient that does not answer yet.
        let address = url.text(&self.root).map_err(|f| Fault { code: &link::UNREACHABLE, ..f })?;
        let base = link::address(&address).map_err(|f| f.at(name))?;
        let account = username.as_ref().zip(password.as_ref());
        let envelope = self.envelope(name, *dialect, endpoints, account, dstcode.as_deref())?;
        let links = Links::new(links, name, self.link_key()?, link_days.unwrap_or(LINK_DAYS))?;
        let mut sink = PortalSink::new(name, base, unit, envelope, links);
        sink.waived.clone_from(waived);
        if let Some(table) = adapter {
            sink.adapter = Arc::new(self.tables(table)?);
        }
        Ok(sink)
    }

    fn envelope(
        &self,
        name: &str,
        dialect: Dialect,
        endpoints: &Endpoints,
        account: Option<(&Reference, &Reference)>,
        dstcode: Option<&str>,
    ) -> Outcome<Envelope> {
        let needed = |path: &Option<String>, key: &str| {
            path.clone().ok_or_else(|| misfit(format!("[recipients.{name}.dvcqg.endpoints] {key} is needed")))
        };
        Ok(match dialect {
            Dialect::Session => {
                let (username, password) =
                    account.ok_or_else(|| misfit(format!("recipients.{name}: username and password")))?;
                let password = Zeroizing::new(password.text(&self.root)?);
                let mut session = Session::new(&username.text(&self.root)?, password);
                session.dstcode = dstcode.map(str::to_owned);
                if let Some(auth) = &endpoints.auth {
                    session.auth_endpoint.clone_from(auth);
                }
                if let Some(integration) = &endpoints.integration {
                    session.integration_endpoint.clone_from(integration);
                }
                Envelope::Session(session)
            }
            Dialect::Bridge => Envelope::Bridge {
                add: needed(&endpoints.add, "add")?,
                update: needed(&endpoints.update, "update")?,
                progress: needed(&endpoints.progress, "progress")?,
            },
            Dialect::OlderBridge => Envelope::OlderBridge {
                endpoint: endpoints.dossier.clone().unwrap_or_else(|| "DongBoHoSoMC".into()),
                progress: endpoints.progress.clone(),
            },
        })
    }

    fn tables(&self, name: &str) -> Outcome<Adapter> {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let path = self.path("profiles/portal").join(format!("{name}.toml"));
        let broken = |what: String| Fault::new(&adapter::BROKEN).at(path.display()).detail(what);
        if !plain {
            return Err(broken("the name".into()));
        }
        let text = fs::read_to_string(&path).map_err(|e| broken(e.kind().to_string()))?;
        Adapter::parse(&text).map_err(|f| f.at(path.display()))
    }
}

fn misfit(what: String) -> Fault {
    Fault::new(&MISFIT).detail(what)
}

/// Nobody knows when the portal fetches and for how long it needs a link; they are renewed by a change before they end.
const LINK_DAYS: u32 = 90;
