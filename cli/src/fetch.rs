//! Files from the network: resumed where they were cut, checked, and renamed when they are whole.

use crate::error::{Error, Result};
use empf_ir::store;
use indicatif::{ProgressBar, ProgressStyle};
use md5::{Digest, Md5};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::{HeaderMap, StatusCode};
use ureq::{Agent, BodyReader};

/// How often a cut connection is opened again if it brought nothing new.
const TRIES: usize = 3;
/// So long a server may take to be found and to begin with its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file to fetch.
pub(crate) struct Request<'a> {
    pub(crate) url: &'a str,
    /// In hexadecimal digits.
    pub(crate) md5: &'a str,
    /// Where it is kept.
    pub(crate) target: &'a Path,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The file was there.
    Kept,
    Fetched,
}

impl Request<'_> {
    /// Brings the file to its place, whole and with its checksum. What came of a file is kept beside the place,
    /// as `NAME.part`, from which a later request goes on.
    pub(crate) fn fetch(&self) -> Result<Outcome> {
        if self.target.exists() {
            let sum = md5_of(self.target)?;
            return match sum == self.md5 {
                true => Ok(Outcome::Kept),
                false => Err(Error::file(
                    self.target,
                    format!("is there, but has the MD5 sum {sum}, not {}; delete it", self.md5),
                )),
            };
        }
        let part = self.part();
        self.download(&part)?;
        let sum = md5_of(&part)?;
        if sum != self.md5 {
            std::fs::remove_file(&part).map_err(|e| failed("delete", &part, e))?;
            let message = format!("has the MD5 sum {sum}, not {}; it was deleted, fetch it again", self.md5);
            return Err(Error::Fetch { url: self.url.into(), message });
        }
        std::fs::rename(&part, self.target).map_err(|e| failed("write", self.target, e))?;
        Ok(Outcome::Fetched)
    }

    fn part(&self) -> PathBuf {
        let mut name = self.target.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        self.target.with_file_name(name)
    }

    /// Lets `part` grow to the whole file.
    fn download(&self, part: &Path) -> Result<()> {
        let config = Agent::config_builder().http_status_as_error(false);
        let config = config.timeout_connect(Some(PATIENCE)).timeout_recv_response(Some(PATIENCE));
        let agent = Agent::from(config.build());
        let mut tries = 0;
        loop {
            let before = part.metadata().map_or(0, |m| m.len());
            match self.go_on(&agent, part, before)? {
                Flow::Whole => return Ok(()),
                Flow::Again => tries += 1,
                Flow::Cut { end, .. } if end > before => tries = 0,
                Flow::Cut { .. } => tries += 1,
            }
            if tries >= TRIES {
                let message = "the connection is cut again and again; the next call goes on where it was cut";
                return Err(Error::Fetch { url: self.url.into(), message: message.into() });
            }
        }
    }

    /// Asks for all from byte `have` on and appends what comes.
    fn go_on(&self, agent: &Agent, part: &Path, have: u64) -> Result<Flow> {
        let mut request = agent.get(self.url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let response = request.call().map_err(|e| self.unreachable(&e))?;
        let (head, body) = response.into_parts();
        let start = match head.status {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if range_start(&head.headers) == Some(have) => have,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                // What is there does not belong to this file.
                std::fs::remove_file(part).map_err(|e| failed("delete", part, e))?;
                return Ok(Flow::Again);
            }
            status => return Err(self.unreachable(&format!("it answers {status}"))),
        };
        store::create_dir(store::folder_of(self.target))?;
        let total = length(&head.headers).map(|length| start + length);
        let mut options = OpenOptions::new();
        let options = options.create(true).write(true).append(start > 0).truncate(start == 0);
        let file = options.open(part).map_err(|e| failed("write", part, e))?;
        self.copy(&mut body.into_reader(), file, part, start, total)
    }

    fn copy(
        &self,
        body: &mut BodyReader,
        mut file: File,
        part: &Path,
        start: u64,
        total: Option<u64>,
    ) -> Result<Flow> {
        let bar = bar(self.target, start, total);
        let (mut end, mut buffer) = (start, vec![0; 1 << 16]);
        loop {
            // A reader that fails has been cut, like one that ends early.
            let count = body.read(&mut buffer).unwrap_or(0);
            if count == 0 {
                bar.finish_and_clear();
                file.sync_all().map_err(|e| failed("write", part, e))?;
                let whole = total.is_none_or(|total| end == total);
                return Ok(if whole { Flow::Whole } else { Flow::Cut { end } });
            }
            file.write_all(&buffer[..count]).map_err(|e| failed("write", part, e))?;
            end += count as u64;
            bar.set_position(end);
        }
    }

    fn unreachable(&self, reason: &dyn std::fmt::Display) -> Error {
        let host = self.url.split('/').nth(2).unwrap_or(self.url);
        let (url, target) = (self.url, self.target.display());
        let message = format!("cannot reach {host}: {reason}; download it by hand as {target}");
        Error::Fetch { url: url.into(), message }
    }
}

/// How an answer ended.
enum Flow {
    Whole,
    /// From the beginning.
    Again,
    Cut {
        /// Bytes that are there.
        end: u64,
    },
}

/// First byte of a `Content-Range: bytes START-END/TOTAL`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get("Content-Range")?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get("Content-Length")?.to_str().ok()?.parse().ok()
}

fn bar(target: &Path, start: u64, total: Option<u64>) -> ProgressBar {
    let template = "{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar());
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new).with_style(style);
    bar.set_message(target.file_name().unwrap_or_default().to_string_lossy().into_owned());
    bar.set_position(start);
    bar.reset_eta();
    bar
}

fn md5_of(path: &Path) -> Result<String> {
    let file = File::open(path).map_err(|e| failed("read", path, e))?;
    let (mut file, mut hash, mut buffer) = (BufReader::new(file), Md5::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(|e| failed("read", path, e))? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn failed(action: &'static str, path: &Path, e: std::io::Error) -> Error {
    Error::Data(empf_ir::Error::io(action, path, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead;
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    fn content() -> Vec<u8> {
        (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    fn md5(bytes: &[u8]) -> String {
        Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// How a server answers one request.
    #[derive(Clone, Copy)]
    enum Answer {
        /// All that is asked for, but so many bytes at most; then the connection is cut.
        Upto(usize),
        /// The whole, whatever range is asked for.
        Whole,
        Status(&'static str),
    }

    /// A server that gives one answer after the other; the address of its file, and the ranges that were asked for.
    fn serve(answers: &'static [Answer]) -> (String, Receiver<Option<usize>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file.bin", listener.local_addr().unwrap());
        let (asked, ranges) = channel();
        thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let start = request(&stream);
                asked.send(start).unwrap();
                // The other side may have gone before it has read all.
                let _ = respond(stream, *answer, start);
            }
        });
        (url, ranges)
    }

    fn request(stream: &TcpStream) -> Option<usize> {
        let lines = BufReader::new(stream).lines().map(|line| line.unwrap().to_ascii_lowercase());
        let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let range = headers.iter().find_map(|line| line.strip_prefix("range: bytes="))?;
        range.strip_suffix('-').unwrap().parse().ok()
    }

    fn respond(mut stream: TcpStream, answer: Answer, start: Option<usize>) -> std::io::Result<()> {
        let content = content();
        let (start, upto) = match answer {
            Answer::Upto(upto) => (start, upto),
            Answer::Whole => (None, usize::MAX),
            Answer::Status(status) => {
                return write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        };
        let body = &content[start.unwrap_or(0)..];
        let (total, length) = (content.len(), body.len());
        match start {
            None => write!(stream, "HTTP/1.1 200 OK\r\n")?,
            Some(start) => {
                let last = total - 1;
                write!(
                    stream,
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{last}/{total}\r\n"
                )?;
            }
        }
        write!(stream, "Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
        stream.write_all(&body[..length.min(upto)])
    }

    fn fetch(url: &str, md5: &str, folder: &Path) -> Result<Outcome> {
        Request { url, md5, target: &folder.join("new/file.bin") }.fetch()
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = std::fs::read_dir(folder.join("new")).unwrap();
        names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_comes_whole_and_once() {
        let (url, ranges) = serve(&[Answer::Whole]);
        let place = tempfile::tempdir().unwrap();
        assert_eq!(fetch(&url, &md5(&content()), place.path()).unwrap(), Outcome::Fetched);
        assert_eq!(std::fs::read(place.path().join("new/file.bin")).unwrap(), content());
        assert_eq!(fetch(&url, &md5(&content()), place.path()).unwrap(), Outcome::Kept);
        let error = fetch(&url, &md5(b"other"), place.path()).unwrap_err().to_string();
        assert!(error.contains("is there, but has the MD5 sum"), "{error}");
        assert_eq!((names(place.path()), ranges.iter().collect()), (vec!["file.bin".into()], vec![None]));
    }

    #[test]
    fn a_cut_connection_is_gone_on_with() {
        let (url, ranges) = serve(&[Answer::Upto(30_000), Answer::Upto(50_000), Answer::Upto(100_000)]);
        let place = tempfile::tempdir().unwrap();
        assert_eq!(fetch(&url, &md5(&content()), place.path()).unwrap(), Outcome::Fetched);
        assert_eq!(std::fs::read(place.path().join("new/file.bin")).unwrap(), content());
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [None, Some(30_000), Some(80_000)]);
    }

    #[test]
    fn a_later_call_goes_on() {
        let place = tempfile::tempdir().unwrap();
        let (url, _ranges) = serve(&[Answer::Upto(70), Answer::Upto(0), Answer::Upto(0), Answer::Upto(0)]);
        let error = fetch(&url, &md5(&content()), place.path()).unwrap_err().to_string();
        assert!(error.contains("cut again and again"), "{error}");
        assert_eq!(names(place.path()), ["file.bin.part"]);
        let (url, ranges) = serve(&[Answer::Upto(100_000)]);
        fetch(&url, &md5(&content()), place.path()).unwrap();
        assert_eq!(ranges.recv().unwrap(), Some(70));
        assert_eq!(std::fs::read(place.path().join("new/file.bin")).unwrap(), content());
    }

    #[test]
    fn a_server_without_ranges_starts_over() {
        let (url, ranges) = serve(&[Answer::Upto(500), Answer::Whole]);
        let place = tempfile::tempdir().unwrap();
        fetch(&url, &md5(&content()), place.path()).unwrap();
        assert_eq!(std::fs::read(place.path().join("new/file.bin")).unwrap(), content());
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [None, Some(500)]);
    }

    #[test]
    fn nothing_of_a_longer_part_is_left() {
        let (url, _ranges) = serve(&[Answer::Whole]);
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("new")).unwrap();
        std::fs::write(place.path().join("new/file.bin.part"), vec![0; 200_000]).unwrap();
        fetch(&url, &md5(&content()), place.path()).unwrap();
        assert_eq!(std::fs::read(place.path().join("new/file.bin")).unwrap(), content());
    }

    #[test]
    fn a_part_of_another_file_is_dropped() {
        let (url, ranges) = serve(&[Answer::Status("416 Range Not Satisfiable"), Answer::Whole]);
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("new")).unwrap();
        std::fs::write(place.path().join("new/file.bin.part"), vec![0; 200_000]).unwrap();
        fetch(&url, &md5(&content()), place.path()).unwrap();
        assert_eq!(std::fs::read(place.path().join("new/file.bin")).unwrap(), content());
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [Some(200_000), None]);
    }

    #[test]
    fn a_wrong_sum_leaves_nothing() {
        let (url, _ranges) = serve(&[Answer::Whole]);
        let place = tempfile::tempdir().unwrap();
        let error = fetch(&url, &md5(b"other"), place.path()).unwrap_err().to_string();
        let (got, expected) = (md5(&content()), md5(b"other"));
        assert!(error.contains(&format!("has the MD5 sum {got}, not {expected}; it was deleted")), "{error}");
        assert!(names(place.path()).is_empty());
    }

    #[test]
    fn names_who_cannot_be_reached() {
        let place = tempfile::tempdir().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = |url: &str| fetch(url, "", place.path()).unwrap_err().to_string();
        let refused = error(&format!("http://{closed}/x"));
        assert!(
            refused.contains(&format!("cannot reach {closed}: ")) && refused.contains("by hand as"),
            "{refused}"
        );
        let unknown = error("http://no-such-host.invalid/x");
        assert!(unknown.contains("cannot reach no-such-host.invalid: "), "{unknown}");
        let (url, _ranges) = serve(&[Answer::Status("404 Not Found")]);
        assert!(error(&url).contains("it answers 404 Not Found"));
    }
}
