//! Where a command writes what it was asked for: never onto what it was made from, never half.

use crate::digest::{Digesting, Digests};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::staged::Staged;
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Refuses a target that is one of the inputs, by whatever name: an original is never replaced.
///
/// # Errors
/// [`ONTO_INPUT`].
pub(super) fn refuse_input<P: AsRef<Path>>(target: &Path, inputs: &[P]) -> Outcome<()> {
    if inputs.iter().any(|input| same_file(target, input.as_ref())) {
        return Err(Fault::new(&ONTO_INPUT).at(target.display()));
    }
    Ok(())
}

/// Whether both names lead to one file that is there.
pub(super) fn same_file(one: &Path, other: &Path) -> bool {
    let inode = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino()));
    matches!((inode(one), inode(other)), (Ok(one), Ok(other)) if one == other)
}

/// Writes beside the target, so that the target is either the old file or the whole new one.
///
/// # Errors
/// What `write` says; [`UNWRITABLE`].
pub(super) fn write_whole<T>(
    target: &Path,
    write: impl FnOnce(&mut dyn Write) -> Outcome<T>,
) -> Outcome<(Digests, T)> {
    let failed = |e: std::io::Error| Fault::new(&UNWRITABLE).detail(e).at(target.display());
    let staged = Staged::beside(target, 0o666).map_err(failed)?;
    let mut sink = Digesting::new(BufWriter::new(staged.file()));
    let made = write(&mut sink)?;
    let (digests, sink) = sink.finish();
    sink.into_inner().map_err(|e| failed(e.into_error()))?;
    staged.publish().map_err(failed)?;
    Ok((digests, made))
}

/// As [`write_whole`], of bytes that are ready.
///
/// # Errors
/// [`UNWRITABLE`].
pub(super) fn write_bytes(target: &Path, bytes: &[u8]) -> Outcome<()> {
    let failed = |e: std::io::Error| Fault::new(&UNWRITABLE).detail(e).at(target.display());
    write_whole(target, |sink| sink.write_all(bytes).map_err(failed)).map(drop)
}

/// The output is one of the inputs.
pub const ONTO_INPUT: Code = Code {
    id: "PDF-035",
    class: Class::Setup,
    vi: "Tệp kết quả trùng với một tệp đầu vào",
    en: "the output is one of the inputs",
    remedy_vi: "Chọn tên khác cho tệp kết quả; bản gốc không bao giờ bị ghi đè",
    remedy_en: "choose another name for the output; an original is never overwritten",
};

/// The output cannot be written.
pub const UNWRITABLE: Code = Code {
    id: "PDF-031",
    class: Class::Setup,
    vi: "Không ghi được tệp kết quả",
    en: "the output cannot be written",
    remedy_vi: "Kiểm tra thư mục, quyền ghi và chỗ trống trên đĩa",
    remedy_en: "check the folder, the permission to write and the free space",
};

/// Every fault of this file.
pub const CODES: &[&Code] = &[&ONTO_INPUT, &UNWRITABLE];
