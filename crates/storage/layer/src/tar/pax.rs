//! PAX extended headers: records of the form `LENGTH KEY=VALUE\n`.
//!
//! # Source
//! POSIX.1-2008 pax, "pax Extended Header"; Go `archive/tar/strconv.go`.

use super::reader::Time;
use crate::Malformed;

/// What the records of one extended header say about the next entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pax {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
    pub(crate) mtime: Option<Time>,
    pub(crate) atime: Option<Time>,
    /// Extended attributes in the order of the records; the last of a name counts.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) sparse: PaxSparse,
}

/// GNU's sparse files, forms 0.0, 0.1 and 1.0.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PaxSparse {
    pub(crate) major: Option<u64>,
    pub(crate) minor: Option<u64>,
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) real_size: Option<u64>,
    pub(crate) block_count: Option<u64>,
    /// Form 0.0: alternating offsets and lengths from repeated records. Form 0.1: the same from one record.
    pub(crate) map: Vec<u64>,
}

impl PaxSparse {
    pub(crate) fn is_present(&self) -> bool {
        *self != Self::default()
    }
}

const XATTR: &[u8] = b"SCHILY.xattr.";

impl Pax {
    /// Reads all records of an extended header.
    pub(crate) fn parse(mut records: &[u8]) -> Result<Self, Malformed> {
        let mut pax = Self::default();
        while !records.is_empty() {
            let (record, rest) = split(records)?;
            pax.set(record.key, record.value)?;
            records = rest;
        }
        Ok(pax)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Malformed> {
        match key {
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                // Form 0.0 repeats these two keys, and their order is the map.
                let expects_offset = self.sparse.map.len().is_multiple_of(2);
                if expects_offset != (key == b"GNU.sparse.offset") {
                    return Err(Malformed::Sparse);
                }
                self.sparse.map.push(decimal(value)?);
                Ok(())
            }
            b"GNU.sparse.map" => {
                self.sparse.map = value.split(|&byte| byte == b',').map(decimal).collect::<Result<_, _>>()?;
                Ok(())
            }
            // An empty value takes an earlier record back; what the plain header says counts then.
            b"path" => set_name(&mut self.path, value),
            b"linkpath" => set_name(&mut self.link, value),
            b"size" => set(&mut self.size, value, decimal),
            b"uid" => set(&mut self.uid, value, decimal),
            b"gid" => set(&mut self.gid, value, decimal),
            b"mtime" => set(&mut self.mtime, value, time),
            b"atime" => set(&mut self.atime, value, time),
            b"GNU.sparse.major" => set(&mut self.sparse.major, value, decimal),
            b"GNU.sparse.minor" => set(&mut self.sparse.minor, value, decimal),
            b"GNU.sparse.name" => set_name(&mut self.sparse.name, value),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => set(&mut self.sparse.real_size, value, decimal),
            b"GNU.sparse.numblocks" => set(&mut self.sparse.block_count, value, decimal),
            _ => {
                if let Some(name) = key.strip_prefix(XATTR) {
                    self.xattrs.retain(|(earlier, _)| earlier != name);
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
                Ok(())
            }
        }
    }
}

struct Record<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

/// Splits the first record off.
fn split(records: &[u8]) -> Result<(Record<'_>, &[u8]), Malformed> {
    let space = records.iter().position(|&byte| byte == b' ').ok_or(Malformed::Pax)?;
    let length = usize::try_from(decimal(&records[..space])?).map_err(|_| Malformed::Pax)?;
    if length > records.len() || length < space + 2 {
        return Err(Malformed::Pax);
    }
    let (record, rest) = records.split_at(length);
    let record = record[space + 1..].strip_suffix(b"\n").ok_or(Malformed::Pax)?;
    let equals = record.iter().position(|&byte| byte == b'=').ok_or(Malformed::Pax)?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    if key.is_empty() || key.contains(&0) {
        return Err(Malformed::Pax);
    }
    Ok((Record { key, value }, rest))
}

fn set_name(field: &mut Option<Vec<u8>>, value: &[u8]) -> Result<(), Malformed> {
    if value.contains(&0) {
        return Err(Malformed::Pax);
    }
    *field = (!value.is_empty()).then(|| value.to_vec());
    Ok(())
}

fn set<T>(
    field: &mut Option<T>,
    value: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, Malformed>,
) -> Result<(), Malformed> {
    *field = if value.is_empty() { None } else { Some(read(value)?) };
    Ok(())
}

pub(crate) fn decimal(digits: &[u8]) -> Result<u64, Malformed> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::Pax);
    }
    str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(Malformed::Pax)
}

/// Reads seconds with an optional sign and fraction; digits beyond nanoseconds are dropped.
fn time(value: &[u8]) -> Result<Time, Malformed> {
    let text = str::from_utf8(value).map_err(|_| Malformed::Pax)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits.is_empty() || !is_number(digits) || !is_number(fraction) {
        return Err(Malformed::Pax);
    }
    let seconds: i64 = whole.parse().map_err(|_| Malformed::Pax)?;
    let padded = format!("{fraction:0<9.9}");
    let nanoseconds: u32 = padded.parse().map_err(|_| Malformed::Pax)?;
    if nanoseconds == 0 || !whole.starts_with('-') {
        return Ok(Time { seconds, nanoseconds });
    }
    // -1.25 is two seconds before the epoch, plus 0.75.
    let seconds = seconds.checked_sub(1).ok_or(Malformed::Pax)?;
    Ok(Time { seconds, nanoseconds: 1_000_000_000 - nanoseconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: &str) -> Vec<u8> {
        let body = format!(" {key}={value}\n");
        let mut length = body.len() + 1;
        while format!("{length}{body}").len() != length {
            length += 1;
        }
        format!("{length}{body}").into_bytes()
    }

    #[test]
    fn records_are_read_and_later_ones_win() {
        let records = [
            record("path", "a"),
            record("path", "b=c"),
            record("size", "12"),
            record("size", ""),
            record("mtime", "1.5"),
            record("SCHILY.xattr.user.a", "1"),
            record("SCHILY.xattr.user.a", "2"),
            record("comment", "x"),
        ]
        .concat();
        let expected = Pax {
            path: Some(b"b=c".to_vec()),
            mtime: Some(Time { seconds: 1, nanoseconds: 500_000_000 }),
            xattrs: vec![(b"user.a".to_vec(), b"2".to_vec())],
            ..Pax::default()
        };
        assert_eq!(Pax::parse(&records), Ok(expected));
    }

    #[test]
    fn malformed_records_are_refused() {
        let cases: [&[u8]; 11] = [
            b"x",
            b"5 a=b",
            b"99 a=b\n",
            b"3 a=b\n",
            b"0 a=b\n",
            b"6 ab=\n6 a",
            b"5 ab\n",
            b"7 =bcd\n",
            b"18446744073709551616 a=b\n",
            b"11 path=a\0b\n\n",
            b"-6 a=b\n",
        ];
        for records in cases {
            assert_eq!(Pax::parse(records), Err(Malformed::Pax), "{:?}", String::from_utf8_lossy(records));
        }
        assert_eq!(Pax::parse(&record("size", "-1")), Err(Malformed::Pax));
        assert_eq!(Pax::parse(&record("uid", "+1")), Err(Malformed::Pax));
        assert_eq!(Pax::parse(&record("path", "a\0b")), Err(Malformed::Pax));
    }

    #[test]
    fn times_keep_nanoseconds_on_both_sides_of_the_epoch() {
        let cases: [(&str, Option<(i64, u32)>); 9] = [
            ("1350244992.023960108", Some((1_350_244_992, 23_960_108))),
            ("1350244992.0239601089999", Some((1_350_244_992, 23_960_108))),
            ("-1.25", Some((-2, 750_000_000))),
            ("-1", Some((-1, 0))),
            ("0.1", Some((0, 100_000_000))),
            ("", None),
            (".5", None),
            ("1.x", None),
            ("1e3", None),
        ];
        for (text, expected) in cases {
            let read = time(text.as_bytes()).ok().map(|time| (time.seconds, time.nanoseconds));
            assert_eq!(read, expected, "{text}");
        }
    }
}
