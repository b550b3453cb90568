//! Which log is meant: a folder made by `hoso log init`, somebody's copy, or the station's.

use super::NO_LOG;
use crate::fault::{Fault, Outcome};
use crate::log::{Log, Signer, UNREADABLE, VerifierKey};
use crate::staged::Staged;
use crate::station::Station;
use crate::steps::desk::open_log;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A log's folder.
pub(super) enum Place {
    /// Made by `init`, or a copy; with the station in which this runs, if any: its anchors vouch for copies of its log.
    Folder(PathBuf, Option<Box<Station>>),
    /// The station's own.
    Station(Box<Station>),
}

impl Place {
    /// The folder that was named, or the station's log; the folder of the station's log is the station's log.
    pub(super) fn of(dir: Option<&Path>, station: Option<&Path>) -> Outcome<Place> {
        match (dir, Station::find(station)) {
            (_, Err(fault)) if station.is_some() => Err(fault),
            (None, Err(_)) => Err(Fault::new(&NO_LOG)),
            (Some(dir), Ok(found)) if is_log_of(&found, dir) => Ok(Place::Station(Box::new(found))),
            (Some(dir), found) => Ok(Place::Folder(dir.to_owned(), found.ok().map(Box::new))),
            (None, Ok(found)) => Ok(Place::Station(Box::new(found))),
        }
    }

    /// The folder that stands first among paths, or the station's log.
    pub(super) fn of_first(paths: &[PathBuf], station: Option<&Path>) -> Outcome<Place> {
        let first = paths.first().filter(|p| p.is_dir() && paths.len() > 1);
        Place::of(first.map(PathBuf::as_path), station)
    }

    /// What stands after the folder.
    pub(super) fn files<'a>(&self, paths: &'a [PathBuf]) -> &'a [PathBuf] {
        match self {
            Place::Folder(..) => paths.get(1..).unwrap_or_default(),
            Place::Station(station) => match paths {
                [first, files @ ..] if !files.is_empty() && is_log_of(station, first) => files,
                all => all,
            },
        }
    }

    pub(super) fn folder(&self) -> PathBuf {
        match self {
            Place::Folder(dir, _) => dir.clone(),
            Place::Station(station) => station.path("var/log"),
        }
    }

    /// Opens it to write; the name of a folder's log stands in `verifier.key`.
    pub(super) fn open(&self) -> Outcome<Log> {
        let dir = match self {
            Place::Station(station) => return open_log(station),
            Place::Folder(dir, _) => dir,
        };
        let (key, verifier) = (dir.join("key.pem"), own_key(dir)?);
        let pem = zeroize::Zeroizing::new(fs::read(&key).map_err(|e| unreadable(&e, &key))?);
        let log = Log::open_with(dir, Signer::from_pem(verifier.name(), &pem)?);
        Ok(log.map_err(|f| f.at(dir.display()))?.stamped(authority(dir).is_some()))
    }

    /// The key that checks it: beside it, or the station's.
    pub(super) fn keys(&self) -> Outcome<Vec<VerifierKey>> {
        match self {
            Place::Folder(dir, None) => Ok(vec![own_key(dir)?]),
            Place::Folder(dir, Some(_)) if dir.join("verifier.key").exists() => Ok(vec![own_key(dir)?]),
            Place::Folder(_, Some(station)) | Place::Station(station) => {
                super::load_keys(&[station.path("anchors/log").to_string_lossy().into_owned()])
            }
        }
    }
}

fn is_log_of(station: &Station, dir: &Path) -> bool {
    match (fs::canonicalize(dir), fs::canonicalize(station.path("var/log"))) {
        (Ok(dir), Ok(log)) => dir == log,
        _ => false,
    }
}

/// The time stamp authority of a folder's log.
pub(super) fn authority(dir: &Path) -> Option<String> {
    let line = fs::read_to_string(dir.join("tsa")).ok()?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

pub(super) fn init(dir: &Path, origin: &str, tsa: Option<&str>) -> Outcome<u8> {
    let signer = Signer::generate(origin)?;
    fs::create_dir_all(dir).map_err(|e| unreadable(&e, dir))?;
    let key = dir.join("key.pem");
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&key).map_err(|e| unreadable(&e, &key))?;
    let pem = zeroize::Zeroizing::new(signer.to_pem()?);
    file.write_all(&pem).and_then(|()| file.sync_all()).map_err(|e| unreadable(&e, &key))?;
    let public = dir.join("verifier.key");
    fs::write(&public, format!("{}\n", signer.verifier())).map_err(|e| unreadable(&e, &public))?;
    if let Some(url) = tsa {
        let place = dir.join("tsa");
        fs::write(&place, format!("{url}\n")).map_err(|e| unreadable(&e, &place))?;
    }
    println!("{}", signer.verifier());
    Log::open_with(dir, signer)?;
    Ok(0)
}

fn own_key(dir: &Path) -> Outcome<VerifierKey> {
    let public = dir.join("verifier.key");
    let line = fs::read_to_string(&public).map_err(|e| unreadable(&e, &public))?;
    VerifierKey::parse(&line).map_err(|f| f.at(public.display()))
}

pub(super) fn unreadable(error: &std::io::Error, path: &Path) -> Fault {
    Fault::new(&UNREADABLE).detail(error.kind()).at(path.display())
}

/// Writes a file so that a reader never sees half of it.
pub(super) fn write_whole(target: &Path, text: &[u8]) -> Outcome<()> {
    let write = || -> std::io::Result<()> {
        let staged = Staged::beside(target, 0o666)?;
        staged.file().write_all(text)?;
        staged.publish()
    };
    write().map_err(|e| unreadable(&e, target))
}
