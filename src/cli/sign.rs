//! `hoso sign`: one PDF in, the same PDF with a signature behind it out.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::seal::appearance::AppearanceFacts;
use crate::seal::key::{KeyHandle, SoftKey, check_may_sign};
use crate::seal::profile::SignatureProfile;
use crate::seal::sign::{self, Tail, common_name};
use crate::seal::timestamp::{HttpTimestamp, TimestampSource};
use jiff::Timestamp;
use std::io::Write;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Arguments of `hoso sign`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  P12_PASSWORD=... hoso sign scan.pdf -o signed.pdf --p12 officer.p12 \
    --password env:P12_PASSWORD --profile intake_scan --name 'Nguyễn Thị Huệ' --tsa http://127.0.0.1:3161/")]
pub struct Args {
    /// The PDF to sign; it is never changed.
    #[arg(value_name = "IN.pdf")]
    input: PathBuf,
    /// Where the signed PDF goes; it appears whole or not at all.
    #[arg(short, long, value_name = "OUT.pdf")]
    output: PathBuf,
    /// Key and certificates, PKCS#12.
    #[arg(long, value_name = "FILE")]
    p12: PathBuf,
    /// Where the password of the key is: env:NAME or file:PATH (its first line).
    #[arg(long, value_name = "env:NAME|file:PATH")]
    password: String,
    /// Which kind of signature: intake_scan, result_agency, invisible, or the path of a profile (*.toml).
    #[arg(long, default_value = "invisible", value_name = "NAME|FILE.toml")]
    profile: String,
    /// Time stamp authority (RFC 3161). With it the signature is B-T, or nothing is written.
    #[arg(long, value_name = "URL")]
    tsa: Option<String>,
    /// The signer's name as it is shown [default: the certificate's common name]
    #[arg(long)]
    name: Option<String>,
    /// The agency's name as it is shown.
    #[arg(long)]
    office: Option<String>,
    /// A picture of the agency's seal (PNG, transparent).
    #[arg(long, value_name = "FILE.png")]
    seal_image: Option<PathBuf>,
    /// The time of signing, ISO 8601 with zone [default: now]
    #[arg(long, value_name = "TIME")]
    time: Option<Timestamp>,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Signs; prints what was made.
///
/// # Errors
/// Whatever stopped it; the output file is then untouched.
pub async fn run(args: Args) -> Outcome<u8> {
    let handle = tokio::runtime::Handle::current();
    let done = tokio::task::spawn_blocking(move || sign_file(&args, handle));
    done.await.map_err(|_| Fault::new(&crate::seal::key::SIGNING))?
}

fn sign_file(args: &Args, handle: tokio::runtime::Handle) -> Outcome<u8> {
    if let (Ok(from), Ok(to)) = (args.input.canonicalize(), args.output.canonicalize())
        && from == to
    {
        return Err(Fault::new(&SAME_FILE));
    }
    let profile = profile(&args.profile)?;
    let password = password(&args.password)?;
    let key =
        SoftKey::from_pkcs12(&read(&args.p12, MAX_P12)?, &password).map_err(|f| f.at(args.p12.display()))?;
    let at = args.time.unwrap_or_else(Timestamp::now);
    check_may_sign(key.certificate(), at).map_err(|f| f.at(args.p12.display()))?;
    let tsa = args.tsa.as_ref().map(|url| HttpTimestamp::new(url, handle)).transpose()?;
    let facts = AppearanceFacts {
        name: args.name.clone().unwrap_or_else(|| common_name(&key)),
        office: args.office.clone(),
        seal_png: args.seal_image.as_ref().map(|path| read(path, MAX_IMAGE)).transpose()?,
        ..AppearanceFacts::default()
    };
    let place = args.input.display();
    let pdf = read(&args.input, MAX_PDF)?;
    let tsa = tsa.as_ref().map(|tsa| tsa as &dyn TimestampSource);
    let sheet = sign::Sheet::open(pdf.clone().into()).map_err(|fault| fault.at(&place))?;
    let order = sign::Order { profile: &profile, facts: &facts, at, field: None };
    let tail = sign::sign_sheet(&sheet, &key, &order, tsa).map_err(|fault| fault.at(&place))?;
    publish(&args.output, &[&pdf, &tail.bytes])?;
    print(args, &tail);
    Ok(0)
}

fn print(args: &Args, tail: &Tail) {
    let seal = &tail.seal;
    if args.json {
        let mut object = serde_json::to_value(seal).unwrap_or_default();
        if let Some(map) = object.as_object_mut() {
            map.insert("output".into(), args.output.display().to_string().into());
        }
        println!("{object}");
        return;
    }
    let level = format!("PAdES {}", seal.level.name());
    println!("Đã ký / signed:         {}", args.output.display());
    println!("Mức / level:            {level}");
    println!("Bộ quy định / profile:  {}", seal.profile);
    println!(
        "Thời điểm / time:       {}",
        seal.signed_at.to_zoned(sign::vietnam()).strftime("%Y-%m-%dT%H:%M:%S%:z")
    );
    match &seal.shown {
        Some(shown) => println!("Hiển thị / shown:       trang {} / page {}", shown.page, shown.page),
        None => println!("Hiển thị / shown:       không / no"),
    }
}

fn profile(name: &str) -> Outcome<SignatureProfile> {
    if Path::new(name).extension().is_none_or(|e| e != "toml") {
        return SignatureProfile::built_in(name);
    }
    let text = read(Path::new(name), MAX_P12)?;
    let text =
        String::from_utf8(text).map_err(|_| Fault::new(&crate::seal::profile::BROKEN_PROFILE).at(name))?;
    SignatureProfile::from_toml(&text).map_err(|fault| fault.at(name))
}

/// A password never stands on the command line, where every process could read it.
fn password(reference: &str) -> Outcome<Zeroizing<String>> {
    let text = match reference.split_once(':') {
        Some(("env", name)) => {
            std::env::var(name).map_err(|_| Fault::new(&PASSWORD).at(reference).detail("no such variable"))?
        }
        Some(("file", path)) => {
            let bytes = Zeroizing::new(read(Path::new(path), MAX_P12)?);
            String::from_utf8(bytes.to_vec())
                .map_err(|_| Fault::new(&PASSWORD).detail("the file is not UTF-8"))?
        }
        _ => return Err(Fault::new(&PASSWORD).detail("neither env:NAME nor file:PATH")),
    };
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.lines().next().unwrap_or("").to_owned()))
}

fn read(path: &Path, limit: u64) -> Outcome<Vec<u8>> {
    let unreadable = |what: &dyn std::fmt::Display| Fault::new(&UNREADABLE).detail(what).at(path.display());
    let size = std::fs::metadata(path).map_err(|e| unreadable(&e.kind()))?.len();
    if size > limit {
        return Err(unreadable(&format!("{size} bytes, at most {limit}")));
    }
    std::fs::read(path).map_err(|e| unreadable(&e.kind()))
}

/// Writes beside the target, makes it durable, then gives it its name: whole or not at all.
fn publish(path: &Path, parts: &[&[u8]]) -> Outcome<()> {
    let unwritable = |e: std::io::Error| Fault::new(&UNWRITABLE).detail(e.kind()).at(path.display());
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(name);
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&partial)?;
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.sync_all()?;
        std::fs::rename(&partial, path)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(|e| {
        let _ = std::fs::remove_file(&partial);
        unwritable(e)
    })
}

/// Every code of this file.
pub const CODES: &[&Code] = &[&PASSWORD, &UNREADABLE, &UNWRITABLE, &SAME_FILE];

const MAX_P12: u64 = 1 << 20;
const MAX_IMAGE: u64 = 4 << 20;
const MAX_PDF: u64 = 2 << 30;

/// A password that cannot be found.
pub const PASSWORD: Code = Code {
    id: "SEAL-050",
    class: Class::Setup,
    vi: "Không lấy được mật khẩu của khoá",
    en: "the password of the key cannot be had",
    remedy_vi: "Khai --password env:TÊN_BIẾN hoặc file:ĐƯỜNG_DẪN",
    remedy_en: "give --password env:NAME or file:PATH",
};

/// A file that cannot be read.
pub const UNREADABLE: Code = Code {
    id: "SEAL-051",
    class: Class::Input,
    vi: "Không đọc được tệp",
    en: "the file cannot be read",
    remedy_vi: "Kiểm tra đường dẫn, quyền đọc và dung lượng tệp",
    remedy_en: "check its path, permissions and size",
};

/// A file that cannot be written.
pub const UNWRITABLE: Code = Code {
    id: "SEAL-052",
    class: Class::Later,
    vi: "Không ghi được tệp đã ký",
    en: "the signed file cannot be written",
    remedy_vi: "Kiểm tra dung lượng đĩa và quyền ghi của thư mục",
    remedy_en: "check the free space and the folder's permissions",
};

/// Output and input are one file.
pub const SAME_FILE: Code = Code {
    id: "SEAL-053",
    class: Class::Setup,
    vi: "Tệp kết quả trùng với bản gốc",
    en: "the output is the input",
    remedy_vi: "Chọn tên khác cho tệp đã ký; bản gốc không bao giờ bị ghi đè",
    remedy_en: "choose another name; an original is never overwritten",
};
