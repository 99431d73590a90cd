//! Real servers, and clusters they run on.
//!
//! A server refuses to run as root, so when the tests do (in CI), its programs run as the user `postgres`, who owns the
//! clusters; otherwise everything is the caller's own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Every major the tests run.
pub const MAJORS: std::ops::RangeInclusive<u32> = 10..=18;

/// The major whose installation has every tool: Debian's.
const COMPLETE: u32 = 15;

/// Longer than any of this takes on a slow machine: only a hang reaches it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The installed servers, by major, as `.ci/servers` listed them.
static SERVERS: LazyLock<BTreeMap<u32, PathBuf>> = LazyLock::new(|| {
    let dir = std::env::var_os("PGAUTOPSY_SERVERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers"),
        PathBuf::from,
    );
    let list = dir.join("servers.txt");
    let text = fs::read_to_string(&list).unwrap_or_else(|e| {
        panic!(
            "{}: {e}\nThe live tests start real servers. Install them with `.ci/servers` (as root), \
             or set PGAUTOPSY_SERVERS to the folder whose servers.txt lists them.",
            list.display()
        )
    });
    text.lines()
        .map(|line| {
            let (major, home) = line
                .split_once(' ')
                .unwrap_or_else(|| panic!("{}: strange line {line:?}", list.display()));
            (major.parse().unwrap(), PathBuf::from(home))
        })
        .collect()
});

/// Whom the servers run as, when the tests run as root.
static POSTGRES: LazyLock<Option<(u32, u32)>> = LazyLock::new(|| {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let entry = passwd
        .lines()
        .find(|line| line.starts_with("postgres:"))
        .expect("no user postgres in /etc/passwd: .ci/servers makes one");
    let mut ids = entry.split(':').skip(2).map(|id| id.parse().unwrap());
    Some((ids.next().unwrap(), ids.next().unwrap()))
});

/// A program that runs as the servers' user and speaks neither the caller's language nor to the caller's servers.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    if let Some((uid, gid)) = *POSTGRES {
        command.uid(uid).gid(gid);
    }
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
        .current_dir("/")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .stdin(Stdio::null());
    command
}

/// The standard output of a program that must succeed.
pub fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Hands a file or directory to the servers' user.
fn own(path: &Path) -> io::Result<()> {
    match *POSTGRES {
        Some((uid, gid)) => chown(path, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    own(path)
}

/// A private directory of the servers' user.
pub fn make_dir(path: &Path) {
    make_private_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// A file of the servers' user with these bytes.
pub fn write_file(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::write(path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    own(path).unwrap();
}

/// A new short-lived directory that the servers' user can reach. Its path is short enough to hold a socket.
fn scratch_dir() -> TempDir {
    let dir = tempfile::Builder::new().prefix("pga").tempdir().unwrap();
    own(dir.path()).unwrap();
    dir
}

/// Copies a directory in the order its entries come, as `cp -a` does, except that `left_out` decides what stays behind
/// by its path below `from`. What vanishes meanwhile is not copied.
pub fn copy_tree(from: &Path, to: &Path, left_out: &dyn Fn(&Path) -> bool) {
    let copied = copy_entry(from, Path::new(""), to, left_out);
    copied.unwrap_or_else(|e| panic!("{} to {}: {e}", from.display(), to.display()));
}

fn copy_entry(
    root: &Path,
    below: &Path,
    to: &Path,
    left_out: &dyn Fn(&Path) -> bool,
) -> io::Result<()> {
    // Joining nothing would end the name of a file with a slash.
    let from = match below.as_os_str().is_empty() {
        true => root.to_owned(),
        false => root.join(below),
    };
    let vanished = |e: &io::Error| e.kind() == ErrorKind::NotFound;
    let kind = match fs::symlink_metadata(&from) {
        Err(e) if vanished(&e) => return Ok(()),
        metadata => metadata?.file_type(),
    };
    if kind.is_dir() {
        make_private_dir(to)?;
        for entry in fs::read_dir(&from)? {
            let name = entry?.file_name();
            let below = below.join(&name);
            if !left_out(&below) {
                copy_entry(root, &below, &to.join(&name), left_out)?;
            }
        }
    } else if kind.is_symlink() {
        symlink(fs::read_link(&from)?, to)?;
    } else if kind.is_file() {
        match fs::copy(&from, to) {
            Err(e) if vanished(&e) => {}
            copied => {
                copied?;
                own(to)?;
            }
        }
    }
    Ok(())
}

/// One installed major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    pub major: u32,
}

impl Server {
    /// The server of this major. It is a failure, and no reason to skip anything, when there is none.
    pub fn of(major: u32) -> Server {
        assert!(
            SERVERS.contains_key(&major),
            "servers.txt lists no PostgreSQL {major}: run .ci/servers"
        );
        Server { major }
    }

    /// The server with every tool.
    pub fn complete() -> Server {
        Server::of(COMPLETE)
    }

    fn program(self, name: &str) -> PathBuf {
        SERVERS[&self.major].join("bin").join(name)
    }

    /// One of this major's own programs.
    pub fn tool(self, name: &str) -> Command {
        command(self.program(name))
    }

    /// Whether this major came with that program.
    pub fn has(self, name: &str) -> bool {
        self.program(name).exists()
    }

    /// From 11 on initdb chooses the size of WAL segments; before, the build has.
    pub fn small_segments(self) -> bool {
        self.major >= 11
    }
}

/// A cluster in a directory of its own, with a server on it or not.
///
/// `home` holds `data`, the tablespace `ts1`, the server's socket and `log`, what the server said since its last start.
pub struct Cluster {
    pub server: Server,
    home: TempDir,
    postmaster: Option<Child>,
    /// Whether it is kept for the developer when the test fails: what was looked at, not what ran before or was
    /// started in its place.
    evidence: AtomicBool,
}

impl Cluster {
    /// A directory for a cluster that is yet to be filled.
    pub fn empty(server: Server) -> Cluster {
        Cluster {
            server,
            home: scratch_dir(),
            postmaster: None,
            evidence: AtomicBool::new(false),
        }
    }

    /// `initdb`, with checksums, and these lines of configuration.
    pub fn init(server: Server, configuration: &[&str]) -> Cluster {
        Cluster::init_with(server, &["-k"], configuration)
    }

    /// `initdb` without checksums, and these lines of configuration.
    pub fn init_without_checksums(server: Server, configuration: &[&str]) -> Cluster {
        // From 18 on they are the default.
        let options: &[&str] = match server.major {
            18.. => &["--no-data-checksums"],
            _ => &[],
        };
        Cluster::init_with(server, options, configuration)
    }

    fn init_with(server: Server, options: &[&str], configuration: &[&str]) -> Cluster {
        let cluster = Cluster::empty(server);
        let mut initdb = server.tool("initdb");
        initdb
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-locale",
                "-N",
                "-D",
            ])
            .arg(cluster.data())
            .args(options);
        if server.small_segments() {
            initdb.arg("--wal-segsize=1");
        }
        output(&mut initdb);
        cluster.configure(configuration);
        cluster
    }

    /// Adds lines to `postgresql.conf`.
    pub fn configure(&self, lines: &[&str]) {
        let path = self.data().join("postgresql.conf");
        let mut text = fs::read_to_string(&path).unwrap();
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        write_file(&path, text);
    }

    /// Says that the test now goes by what is in this directory.
    pub fn keep_on_failure(&self) {
        self.evidence.store(true, Ordering::Relaxed);
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn data(&self) -> PathBuf {
        self.home().join("data")
    }

    /// Where the tablespace `ts1` of this cluster is, or goes.
    pub fn tablespace(&self) -> PathBuf {
        self.home().join("ts1")
    }

    fn log_path(&self) -> PathBuf {
        self.home().join("log")
    }

    /// What the server said since its last start.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap()).into_owned()
    }

    /// A copy of a stopped cluster, to start in its place.
    pub fn stand_in(&self) -> Cluster {
        let copy = Cluster::empty(self.server);
        copy_tree(&self.data(), &copy.data(), &|_| false);
        copy.adopt_tablespace(&self.tablespace());
        copy.forget_postmaster();
        copy
    }

    /// Copies the tablespace that the copied links still point to, and turns them to the copy.
    pub fn adopt_tablespace(&self, from: &Path) {
        if from.exists() {
            copy_tree(from, &self.tablespace(), &|_| false);
        }
        self.relink_tablespace();
    }

    /// Points every link in `pg_tblspc` to this cluster's own tablespace.
    pub fn relink_tablespace(&self) {
        for entry in fs::read_dir(self.data().join("pg_tblspc")).unwrap() {
            let link = entry.unwrap().path();
            fs::remove_file(&link).unwrap();
            symlink(self.tablespace(), &link).unwrap();
        }
    }

    /// Removes the lock file of a server that is known to be dead, or that runs on what this is a copy of.
    pub fn forget_postmaster(&self) {
        match fs::remove_file(self.data().join("postmaster.pid")) {
            Err(e) if e.kind() != ErrorKind::NotFound => panic!("postmaster.pid: {e}"),
            _ => {}
        }
    }

    /// Starts the server and returns at once.
    pub fn launch(&mut self, options: &[&str]) {
        assert!(self.postmaster.is_none(), "already started");
        let log = File::create(self.log_path()).unwrap();
        let mut postgres = self.server.tool("postgres");
        postgres.arg("-D").arg(self.data());
        let socket = format!("unix_socket_directories={}", self.home().display());
        for option in [
            "listen_addresses=",
            &socket,
            "fsync=off", // a killed process loses nothing that the kernel has
            "logging_collector=off",
            "log_line_prefix=",
            "log_min_messages=warning",
            "log_timezone=UTC",
            "timezone=UTC",
            "lc_messages=C",
            "dynamic_shared_memory_type=mmap", // a killed server leaves its files in the cluster, not in /dev/shm
        ]
        .iter()
        .chain(options)
        {
            postgres.args(["-c", option]);
        }
        let child = postgres
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("{postgres:?}: {e}"));
        self.postmaster = Some(child);
    }

    /// Starts the server and waits until it accepts connections.
    pub fn start(&mut self) {
        self.launch(&[]);
        self.wait_for_log("ready to accept connections");
    }

    /// Waits until the log contains this; a server that ends first is a failure.
    pub fn wait_for_log(&mut self, text: &str) {
        let since = Instant::now();
        while !self.log().contains(text) {
            if let Some(status) = self.postmaster.as_mut().unwrap().try_wait().unwrap() {
                panic!(
                    "the server ended with {status} instead of {text:?}:\n{}",
                    self.log()
                );
            }
            assert!(
                since.elapsed() < PATIENCE,
                "the server does not say {text:?}:\n{}",
                self.log()
            );
            sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the server accepts connections, or has ended: then it is gone, and this is false.
    pub fn comes_up(&mut self, patience: Duration) -> bool {
        let since = Instant::now();
        loop {
            let log = self.log();
            if log.contains("ready to accept connections") {
                return true;
            }
            // It would try for ever.
            if log.contains("all server processes terminated; reinitializing") {
                self.kill();
                return false;
            }
            if self.has_ended() {
                return false;
            }
            assert!(
                since.elapsed() < patience,
                "the server neither starts nor ends:\n{}",
                self.log()
            );
            sleep(Duration::from_millis(5));
        }
    }

    /// Whether the server is gone.
    fn has_ended(&mut self) -> bool {
        let ended = self.postmaster.as_mut().unwrap().try_wait().unwrap();
        if ended.is_some() {
            self.postmaster = None;
        }
        ended.is_some()
    }

    /// Whether the next start is that of a standby.
    pub fn is_standby(&self) -> bool {
        let conf = fs::read_to_string(self.data().join("recovery.conf")).unwrap_or_default();
        self.data().join("standby.signal").exists() || conf.contains("standby_mode = on")
    }

    /// Waits until a standby lets queries in, or has ended; false when neither comes.
    pub fn lets_in_or_ends(&mut self, patience: Duration) -> bool {
        let since = Instant::now();
        while since.elapsed() < patience {
            if self.log().contains("ready to accept read") {
                return true;
            }
            if self.has_ended() {
                return true;
            }
            sleep(Duration::from_millis(5));
        }
        false
    }

    pub fn pid(&self) -> u32 {
        self.postmaster.as_ref().expect("no server is running").id()
    }

    /// Every process of the server, the postmaster first.
    fn processes(&self) -> Vec<u32> {
        let postmaster = self.pid();
        let mut pids = vec![postmaster];
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            if parent_of(pid) == Some(postmaster) {
                pids.push(pid);
            }
        }
        pids
    }

    /// Ends every process of the server where it stands.
    pub fn kill(&mut self) {
        signal("STOP", &[self.pid()]); // so that it starts no others meanwhile
        let pids = self.processes();
        signal("KILL", &pids);
        self.postmaster.take().unwrap().wait().unwrap();
        let since = Instant::now();
        while pids.iter().any(|&pid| is_running(pid)) {
            assert!(
                since.elapsed() < PATIENCE,
                "a killed server process goes on"
            );
            sleep(Duration::from_millis(1));
        }
        self.remove_shared_memory();
    }

    /// A killed server leaves a System V segment, and there is room for some thousands of them. Its id is in line 7 of
    /// `postmaster.pid`: `key id`.
    fn remove_shared_memory(&self) {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let id = file
            .lines()
            .nth(6)
            .and_then(|line| line.split_whitespace().nth(1));
        if let Some(id) = id {
            let _ = Command::new("ipcrm")
                .args(["-m", id])
                .stderr(Stdio::null())
                .status();
        }
    }

    /// Does something while every process of the server stands still.
    pub fn frozen<T>(&self, work: impl FnOnce() -> T) -> T {
        signal("STOP", &[self.pid()]);
        let pids = self.processes();
        signal("STOP", &pids);
        let result = work();
        signal("CONT", &pids);
        result
    }

    /// A fast shutdown: a clean one, unless this is a standby.
    pub fn stop(&mut self) {
        signal("INT", &[self.pid()]);
        let mut child = self.postmaster.take().unwrap();
        let since = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if since.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("the server does not stop:\n{}", self.log());
            }
            sleep(Duration::from_millis(5));
        }
        let log = self.log();
        assert!(
            log.contains("database system is shut down"),
            "not a clean shutdown:\n{log}"
        );
    }

    /// Makes a standby a primary, and waits until it is.
    pub fn promote(&mut self) {
        output(
            self.server
                .tool("pg_ctl")
                .arg("-D")
                .arg(self.data())
                .arg("promote"),
        );
        self.wait_for_log("ready to accept connections");
    }

    /// psql, with this cluster to talk to.
    pub fn psql(&self) -> Command {
        let mut psql = Server::complete().tool("psql");
        psql.args([
            "-X", "-q", "-A", "-t", "-U", "postgres", "-d", "postgres", "-h",
        ])
        .arg(self.home());
        psql
    }

    /// What a statement returns, unaligned.
    pub fn sql(&self, statement: &str) -> String {
        let mut psql = self.psql();
        psql.args(["-v", "ON_ERROR_STOP=1", "-c", statement]);
        output(&mut psql).trim_end().to_owned()
    }

    /// What a statement returns, or what psql says of its failure.
    pub fn try_sql(&self, statement: &str) -> String {
        let output = self.psql().args(["-c", statement]).output().unwrap();
        let text = if output.status.success() {
            &output.stdout
        } else {
            &output.stderr
        };
        String::from_utf8_lossy(text).trim_end().to_owned()
    }

    /// Makes the tablespace `ts1`.
    pub fn create_tablespace(&self) {
        make_dir(&self.tablespace());
        self.sql(&format!(
            "CREATE TABLESPACE ts1 LOCATION '{}'",
            self.tablespace().display()
        ));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.postmaster.is_some() {
            signal("KILL", &self.processes());
            if let Some(mut child) = self.postmaster.take() {
                let _ = child.wait();
            }
            self.remove_shared_memory();
        }
        if panicking() && self.evidence.load(Ordering::Relaxed) {
            let name = std::thread::current()
                .name()
                .unwrap_or("live")
                .replace("::", "-");
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join("live-failures")
                .join(name);
            let _ = fs::remove_dir_all(&kept);
            match copy_entry(self.home(), Path::new(""), &kept, &|_| false) {
                Ok(()) => eprintln!("the evidence is kept in {}", kept.display()),
                Err(e) => eprintln!("the evidence is lost: {}: {e}", kept.display()),
            }
        }
    }
}

/// Sends a signal through the shell: the standard library has none.
pub fn signal(name: &str, pids: &[u32]) {
    // A process that is already gone is what was wanted.
    let _ = Command::new("/bin/sh")
        .args(["-c", "for pid do kill -$0 $pid; done", name])
        .args(pids.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

/// The state letter and the parent's pid, from /proc: `pid (name) state ppid …`.
fn stat(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn parent_of(pid: u32) -> Option<u32> {
    stat(pid).map(|(_, parent)| parent)
}

fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}
