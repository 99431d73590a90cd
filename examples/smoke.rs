use pgautopsy::format::*;
use pgautopsy::recovery::{reader::*, timeline::*, walk::*};
use std::os::unix::fs::FileExt;
struct F(std::fs::File);
impl SegmentFile for F { fn read_at(&self, buf: &mut [u8], o: u64) -> std::io::Result<usize> { let mut n=0; while n<buf.len() { let k=self.0.read_at(&mut buf[n..], o+n as u64)?; if k==0 {break} n+=k;} Ok(n) } }
struct D(String, u64, bool);
impl WalSource for D {
  fn open(&self, tli: u32, segno: u64) -> Option<Box<dyn SegmentFile + '_>> { std::fs::File::open(format!("{}/{}", self.0, self.name(tli, segno))).ok().map(|f| Box::new(F(f)) as Box<dyn SegmentFile>) }
  fn name(&self, tli: u32, segno: u64) -> String { let per = self.1; format!("{tli:08X}{:08X}{:08X}", segno/per, segno%per) }
}
struct S(u64, Vec<String>, bool);
impl WalSink for S { fn record(&mut self, r: &pgautopsy::format::wal::Record<'_, '_>) { self.0 += 1; if self.2 { self.1.push(format!("{} {} {} {} {}", r.lsn, r.header.xl_rmid, r.header.xl_tot_len, r.header.xl_xid, r.header.xl_prev)); } } }
fn main() {
  let a: Vec<String> = std::env::args().collect();
  let v = Version::by_name(&a[2]).unwrap();
  let mut layout = Layout::usual(v); layout.wal_segsz = a[4].parse().unwrap();
  let g = wal::WalGeometry::of(&layout);
  let ctx = WalContext { layout, system_identifier: None, timelines: Timelines::single(1) };
  let src = D(format!("{}/{}", a[1], v.wal_dir()), g.segments_per_log(), true);
  let print = a.len() > 5;
  let t = std::time::Instant::now();
  let end = walk(&ctx, &src, Position::at(XLogRecPtr::parse(&a[3]).unwrap()), None, &|| S(0, vec![], print), &mut |s, _| for l in s.1 { println!("{l}") });
  eprintln!("{} records {:?} last {:?} next {} stop {:?} {:?}", a[1], end.records, end.position.last, end.position.next, end.stop.as_ref().map(|s| s.message(v)), t.elapsed());
}
