//! A station folder: what this office is, what it trusts, with which keys it signs and to whom it delivers.

pub mod challenges;
pub mod config;
pub mod portal;
pub mod wire;

use crate::blobs::Blobs;
use crate::fault::{Class, Code, Fault, Outcome};
use config::Config;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A station folder that was found and whose configuration is sound.
#[derive(Debug, Clone)]
pub struct Station {
    /// The folder.
    pub root: PathBuf,
    /// `hoso.toml`.
    pub config: Config,
}

impl Station {
    /// The station in `--station`, else in the nearest folder upward that holds `hoso.toml`, else in `HOSO_STATION`.
    ///
    /// # Errors
    /// `STAT-001` where there is none, `STAT-002` where its configuration is not sound.
    pub fn find(given: Option<&Path>) -> Outcome<Self> {
        let here = std::env::current_dir().ok();
        let upward = here
            .as_deref()
            .and_then(|d| d.ancestors().find(|a| a.join("hoso.toml").is_file()).map(Path::to_owned));
        let root = given
            .map(Path::to_owned)
            .or(upward)
            .or_else(|| std::env::var_os("HOSO_STATION").map(PathBuf::from))
            .ok_or(&NO_STATION)?;
        let place = root.join("hoso.toml");
        let text = fs::read_to_string(&place)
            .map_err(|e| Fault::new(&NO_STATION).at(place.display()).detail(e.kind()))?;
        let config = Config::parse(&text).map_err(|f| f.at(place.display()))?;
        // Absolute: later reads must not depend on where the process stands then.
        let root = fs::canonicalize(&root)
            .map_err(|e| Fault::new(&NO_STATION).at(root.display()).detail(e.kind()))?;
        Ok(Station { root, config })
    }

    /// A path below the station.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.join(below)
    }

    /// Opens the blobs.
    ///
    /// # Errors
    /// `BLOB-001`.
    pub fn blobs(&self) -> Outcome<Arc<Blobs>> {
        Blobs::open(&self.path("var/blobs")).map(Arc::new)
    }

    /// Opens the store of chip readings as they came: apart from the blobs, because it alone is removed from.
    ///
    /// # Errors
    /// `BLOB-001`.
    pub fn readings(&self) -> Outcome<Arc<Blobs>> {
        Blobs::open(&self.path("var/readings")).map(Arc::new)
    }
}

/// There is no station.
pub const NO_STATION: Code = Code {
    id: "STAT-001",
    class: Class::Setup,
    vi: "Không tìm thấy thư mục trạm (hoso.toml)",
    en: "no station folder (hoso.toml) was found",
    remedy_vi: "Tạo trạm bằng `hoso init THƯ-MỤC` hoặc chỉ ra bằng --station",
    remedy_en: "make one with `hoso init DIR`, or name it with --station",
};
/// The configuration has a mistake.
pub const BAD_CONFIG: Code = Code {
    id: "STAT-002",
    class: Class::Setup,
    vi: "Tệp cấu hình trạm có lỗi",
    en: "there is a mistake in the station's configuration",
    remedy_vi: "Sửa chỗ được chỉ ra rồi chạy `hoso check`",
    remedy_en: "mend what is named, then run `hoso check`",
};
/// A pipeline asks for something that the station does not have.
pub const MISFIT: Code = Code {
    id: "STAT-003",
    class: Class::Setup,
    vi: "Quy trình cần thứ mà trạm chưa cấu hình",
    en: "the pipeline needs something that the station is not configured for",
    remedy_vi: "Thêm phần được nêu vào hoso.toml",
    remedy_en: "add the named part to hoso.toml",
};
/// A secret cannot be had.
pub const NO_SECRET: Code = Code {
    id: "STAT-004",
    class: Class::Setup,
    vi: "Không lấy được khóa hoặc mật khẩu theo tham chiếu",
    en: "a key, password or address cannot be had from its reference",
    remedy_vi: "Kiểm tra biến môi trường hoặc tệp mà tham chiếu nêu",
    remedy_en: "look at the environment variable or file that the reference names",
};
/// Every code of this room.
pub const CODES: &[&Code] = &[&NO_STATION, &BAD_CONFIG, &MISFIT, &NO_SECRET];
