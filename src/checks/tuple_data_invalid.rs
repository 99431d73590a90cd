//! Values in a tuple do not fit it.

use super::{compressed_data_invalid, toast_chunk_invalid, value_invalid};
use crate::finding::{Finding, Severity};
use crate::format::compressed::invalid_memory_alloc;
use crate::format::heap::{HEAP_HASEXTERNAL, HeapTuple};
use crate::format::page::PD_ALL_VISIBLE;
use crate::format::toast::{Chunk, chunk_data};
use crate::format::tuple::{Attribute, AttributeFault, Output, Stored, ToastPointer, TupleDesc, VARHDRSZ, VARLENA_SIZE_LIMIT};
use crate::format::version::{Layout, Major};
use crate::scan::page::HeapView;
use crate::scan::rows::TupleState;
use crate::scan::tally::Tally;
use crate::scan::toast::{Claim, value_of};

check! {
    /// ## What it means
    /// The columns of a row lie one behind the other, and those of variable length tell their
    /// own length. Here a column would end behind the end of its row, or the last one well
    /// before it, or a value that is stored out of line (TOAST) has a pointer that cannot be.
    /// The server does not notice as such: a query that reads the column may return garbage,
    /// fail with `invalid memory alloc request size ...`, `missing chunk number 0 for toast
    /// value ...` or an odd error of a data type, or crash the session, upon which the server
    /// restarts all sessions. Columns before it are sound.
    ///
    /// ## How it is decided
    /// What `verify_heapam.c: check_tuple_attribute` of the amcheck extension tests, for every
    /// version and without a server: each row whose inserting transaction committed is taken
    /// apart by `pg_attribute` as replay leaves it. Beyond that, the last column must end where
    /// the row does, and a TOAST pointer must have a sensible size and lead to the
    /// table's own TOAST table.
    /// Rows of aborted transactions may follow another table definition and are passed over;
    /// so are rows whose header does not tell where the data begin (`tuple-header-invalid`),
    /// pages that replay changes or that come from behind the end of WAL, and tables whose
    /// columns the catalogs do not tell beyond doubt.
    ///
    /// ## What else may cause it
    /// A flipped bit in memory or on disk; a page of which a part is older or foreign; a
    /// relation file of another table or another server, when many rows have it; catalogs of
    /// another time than the table, after copying files by hand.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If nearly every row of the table has
    /// it, look first whether file and catalog belong together.
    ///
    /// Take the page from a backup or standby, or the row from a dump. Without them, dump the
    /// table in a copy without the row (`WHERE ctid <> '(N,M)'`), then the columns before the
    /// broken one. `pg_surgery` (14 and later, `heap_force_kill`) removes the row for good:
    /// only at the very end, on the copy.
    "tuple-data-invalid" Damage Heap: "values in a tuple do not fit it"
}

/// Takes apart each tuple whose inserter committed (`verify_heapam.c: check_tuple`), and adds
/// up the chunks of values that are stored out of line. Nothing is said of pages that replay
/// changes, but their values count.
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let page = &view.view;
    let Some(desc) = page.tuple_desc else {
        return;
    };
    let is_judged = !page.is_replayed() && !page.is_ahead();
    if !is_judged && page.toast.is_none() {
        return;
    }
    let layout = &page.context.layout;
    let is_toast = page.is_toast();
    let looks_at_values = is_judged && desc.has_types();
    // On most pages one header tells of all where the data lie.
    let alike = view.heap.marks.alike(layout).filter(|(natts, _)| !is_toast && desc.has(*natts));
    let alike = alike.map(|(natts, hoff)| desc.without_nulls(natts, hoff, looks_at_values.then_some(layout)));
    let states = std::mem::take(&mut tally.states);
    let findings = &mut tally.findings;
    for (tuple, state) in view.heap.tuples.iter().zip(&states) {
        let is_row = *state == TupleState::Row;
        let bytes = view.heap.bytes(tuple);
        let judge = (looks_at_values && is_row).then_some(layout);
        let is_plain = match &alike {
            Some(alike) if is_row => alike.is_plain(bytes),
            _ if *state == TupleState::NotInserted => continue,
            _ if !desc.admits(&tuple.header, tuple.lp.lp_len()) => continue,
            _ => !is_toast && desc.is_plain(&tuple.header, bytes, judge),
        };
        if is_plain {
            continue;
        }
        // A scan takes no other row apart.
        let is_read = is_row || page.header.has(PD_ALL_VISIBLE);
        let walked = desc.walk(&tuple.header, bytes, |attnum, stored| match stored {
            // As a chunk it is not sound at all.
            _ if is_toast => {}
            Stored::Compressed(varlena) => {
                let dropped = desc.attribute(attnum).is_none_or(|a| a.attisdropped);
                if is_judged
                    && !dropped
                    && let Some(fault) = compressed_data_invalid::fault(varlena, layout)
                {
                    let column = column(desc, attnum);
                    let mut finding = compressed_data_invalid::finding(view, tuple, &column, fault);
                    finding.server_error.take_if(|_| !is_read);
                    findings.push(finding);
                }
            }
            Stored::External(pointer) => {
                if is_judged {
                    let dropped = desc.attribute(attnum).is_none_or(|a| a.attisdropped);
                    pointer_faults(view, tuple, pointer, |message, error| {
                        let mut finding = found(view, tuple, desc, attnum, &message);
                        finding.server_error = error.filter(|_| is_read && !dropped);
                        findings.push(finding);
                    });
                }
                if is_row
                    && let Some(link) = page.toast
                    && let Some(value) = value_of(link, pointer, layout)
                {
                    let sum = tally.toast.ask(link, value, Claim::of(pointer, layout));
                    tally.chunk.toast_sum = tally.chunk.toast_sum.wrapping_add(sum);
                }
            }
        });
        match walked {
            Err(_) if !is_judged => {}
            // No server looks at this.
            Err((attnum, fault @ AttributeFault::TupleGoesOn { .. })) => {
                let finding = found(view, tuple, desc, attnum, &fault.to_string());
                findings.push(finding.severity(Severity::Abnormal));
            }
            Err((attnum, fault)) => {
                let mut finding = found(view, tuple, desc, attnum, &fault.to_string());
                finding.server_error = error_of(fault, desc.attribute(attnum), layout).filter(|_| is_read);
                findings.push(finding);
            }
            Ok(()) if is_toast => match Chunk::read(&tuple.header, bytes, layout) {
                Ok(Some(chunk)) if is_row => {
                    if let Some(link) = page.toast {
                        let sum = tally.toast.find(link, chunk);
                        tally.chunk.toast_sum = tally.chunk.toast_sum.wrapping_add(sum);
                        let key = (tally.fork, chunk.chunk_id);
                        if let Some(data) = chunk_data(&tuple.header, bytes, chunk)
                            && let Some(whole) = tally.assembly.add(key, chunk, data, layout)
                        {
                            let sum = tally.toast.assembled(link, chunk.chunk_id, whole, layout);
                            tally.chunk.toast_sum = tally.chunk.toast_sum.wrapping_add(sum);
                        }
                    }
                }
                Ok(_) => {}
                Err(fault) if is_judged => toast_chunk_invalid::push(view, tuple, fault, findings),
                Err(_) => {}
            },
            Ok(()) if judge.is_some() => {
                value_invalid::row(view, tuple, desc, &mut tally.inflated, findings);
            }
            Ok(()) => {}
        }
    }
    tally.states = states;
}

/// What a query says of a value, where that does not hang on what lies behind it in memory.
fn error_of(
    fault: AttributeFault,
    attribute: Option<&Attribute>,
    layout: &Layout,
) -> Option<String> {
    // 19 works with lengths of another type.
    if layout.since(Major::V19) {
        return None;
    }
    let AttributeFault::Length(len @ 0..=2) = fault else {
        return None;
    };
    let data = i64::from(len) - i64::from(VARHDRSZ);
    match attribute?.output {
        // One byte more than there is text. (Of a value of 3 bytes it copies -1.)
        Output::Text => Some(invalid_memory_alloc(data + 1)),
        // VARSIZE is 32 bits wide; two digits for each byte, after `\x`.
        Output::Bytea => Some(invalid_memory_alloc((data + (1 << 32)) * 2 + 3)),
        Output::Other => None,
    }
}

/// What is wrong with the pointer to a value that is stored out of line.
fn pointer_faults(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    pointer: ToastPointer,
    mut fault: impl FnMut(String, Option<String>),
) {
    let page = &view.view;
    let layout = &page.context.layout;
    let (value, rawsize) = (pointer.va_valueid, pointer.va_rawsize);
    let extsize = pointer.extsize(layout);
    if rawsize > VARLENA_SIZE_LIMIT {
        fault(format!("toast value {value} rawsize {rawsize} exceeds limit {VARLENA_SIZE_LIMIT}"), None);
    } else if extsize == 0 || extsize > rawsize.saturating_sub(VARHDRSZ) {
        fault(format!(
            "toast value {value} has {extsize} bytes stored, of {} in all",
            rawsize.saturating_sub(VARHDRSZ)
        ), None);
    }
    let method = pointer.va_extinfo.method(layout);
    if pointer.is_compressed(layout) && method > 1 {
        fault(format!("toast value {value} has invalid compression method id {method}"), None);
    }
    if !tuple.header.has(HEAP_HASEXTERNAL) {
        fault(format!(
            "toast value {value} is external but tuple header flag HEAP_HASEXTERNAL not set"
        ), None);
    }
    let names = page.context.names;
    let Some(relation) = names.relation(page.fork.locator) else {
        return;
    };
    let (toast, other) = (relation.class.reltoastrelid, pointer.va_toastrelid);
    // The server follows the pointer, so any TOAST table of the database will do.
    let has = |oid| names.relations.contains_key(&(relation.database, oid));
    let error = (!has(other)).then(|| format!("could not open relation with OID {other}"));
    if toast == 0 {
        let message = format!("toast value {value} is external but relation has no toast relation");
        fault(message, error);
    } else if other != toast && has(toast) {
        let message = format!("toast value {value} is in toast relation {other}, expected {toast}");
        fault(message, error);
    }
}

/// The column as the operator knows it.
pub fn column(desc: &TupleDesc, attnum: u16) -> String {
    format!("column {attnum} ({})", desc.name(attnum).unwrap_or("?"))
}

#[cold]
fn found(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    desc: &TupleDesc,
    attnum: u16,
    what: &str,
) -> Finding {
    let message = format!("{}: {what}", column(desc, attnum));
    let at = tuple.lp.lp_off();
    view.view.tuple_finding(&CHECK, tuple.offnum, at, message)
}
