//! `hoso reconcile`: asks the portal about everything that it acknowledged, and says what is done here and not there.

mod account;
mod told;

use super::table::Table;
use crate::clock::{Clock, vietnam_time};
use crate::courier::told::as_told;
use crate::deliver::link::{self, Line};
use crate::deliver::portal::reply::Found;
use crate::deliver::portal::standing::{Standing, standing};
use crate::deliver::portal::{self, PortalDossier, PortalSink};
use crate::deliver::{Attempt, ReceiptBytes};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome, Report};
use crate::ledger::acknowledged::{Acknowledged, Outbox};
use crate::station::{MISFIT, Station};
use account::Account;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use told::Told;

/// `hoso reconcile`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hoso reconcile\n  hoso reconcile --to portal --json | jq 'select(.standing == \"missing\")'\n  \
    hoso reconcile --to portal --resend\n  hoso reconcile --renew\n\n\
    Exit codes: 0 nothing is missing, 1 something that was acknowledged is not there, there in an earlier state or without papers, 5 not all could be asked \
    (run it again: it goes on where it stopped)."
)]
pub struct Args {
    /// Only this recipient; otherwise every adapter of the portal in hoso.toml.
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// One JSON object a dossier, then one with the totals.
    #[arg(long)]
    json: bool,
    /// Tell the portal again what is missing there, in an earlier state or without its papers.
    #[arg(long)]
    resend: bool,
    /// Renew links to files that end soon, by telling the portal of the dossier as a change.
    #[arg(long)]
    renew: bool,
    /// So many questions at a time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    at_once: u16,
    /// Ask about everything, also what an interrupted reconciliation asked within the last day.
    #[arg(long)]
    afresh: bool,
}

/// A dossier that was acknowledged, and how it stands at the portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    recipient: String,
    dossier: String,
    /// The office's code in the dossier's.
    unit: String,
    /// The parcel whose receipt it was.
    delivery_id: Sha256,
    acknowledged_at: String,
    /// The state that was told.
    ours: String,
    /// The state there, as it stands on the wire.
    portal: Option<String>,
    standing: Option<Standing>,
    /// What was done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<String>,
    /// Why it could not be asked or told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault: Option<Report>,
}

/// Runs it; 0 where nothing is missing, 1 where something is, 5 where not all could be asked.
///
/// # Errors
/// No station, no adapter of the portal, `LEDG-001`.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let station = Station::find(station)?;
    let names = match &args.to {
        Some(name) => vec![name.clone()],
        None => station.portals().into_iter().map(str::to_owned).collect(),
    };
    if names.is_empty() {
        return Err(Fault::new(&MISFIT).detail("[recipients.NAME.dvcqg]"));
    }
    let (mut lacking, mut unasked) = (false, false);
    for name in names {
        let rows = reconcile(&args, &station, &name).await?;
        lacking |= rows.iter().any(|row| row.standing.is_some_and(Standing::lacks) && row.told.is_none());
        unasked |=
            rows.iter().any(|row| row.standing.is_none() || (row.fault.is_some() && row.told.is_none()));
        if args.json {
            rows.iter().for_each(|row| println!("{}", json!(row)));
            println!("{}", json!({ "total": Total::of(&name, &rows) }));
        } else {
            print!("{}", render(&name, &rows));
        }
    }
    Ok(if lacking {
        1
    } else if unasked {
        Class::Later.exit_code()
    } else {
        0
    })
}

/// Asks one recipient about everything; the account of it is let go of when all of it was asked.
async fn reconcile(args: &Args, station: &Station, name: &str) -> Outcome<Vec<Row>> {
    let sink = Arc::new(station.portal(name)?);
    if !sink.can_ask() {
        return Err(Fault::new(&portal::CANNOT_ASK).at(name));
    }
    let client = link::client(&Line::default())?;
    let outbox = Outbox::open(&station.path("var/ledger.db"))?;
    let now = Clock::System.now_ms();
    let mut account = Account::open(&station.path("var/reconcile"), name, now, args.afresh)?;
    let mut rows = Vec::new();
    let mut questions = Vec::new();
    for acknowledged in outbox.acknowledged(name)? {
        match account.known(&acknowledged.id) {
            Some(row) => rows.push(row),
            None => questions.push(acknowledged),
        }
    }
    let mut asking = JoinSet::new();
    let mut rest = questions.into_iter();
    let mut failures = 0;
    loop {
        while asking.len() < usize::from(args.at_once) && failures < MOST_FAILURES {
            let Some(acknowledged) = rest.next() else { break };
            let (sink, client) = (Arc::clone(&sink), client.clone());
            let row = row(name, &acknowledged, &outbox)?;
            asking.spawn(async move { judge(&client, &sink, row).await });
        }
        let Some(asked) = asking.join_next().await else { break };
        let row = asked.map_err(|_| Fault::new(&crate::engine::PANICKED))?;
        failures = if row.standing.is_none() { failures + 1 } else { 0 };
        account.keep(&row)?;
        rows.push(row);
    }
    // Whoever does not answer is not asked on; the next run does.
    for acknowledged in rest {
        let (row, _) = row(name, &acknowledged, &outbox)?;
        rows.push(Row { fault: Some(Fault::new(&NOT_ASKED).report()), ..row });
    }
    rows.sort_by(|a, b| (&a.unit, &a.dossier).cmp(&(&b.unit, &b.dossier)));
    if args.resend || args.renew {
        let mut told = Told::open(station, name)?;
        tell(args, station, &client, &sink, &outbox, &mut told, &mut rows).await?;
    }
    if rows.iter().all(|row| row.standing.is_some()) {
        account.close()?;
    }
    Ok(rows)
}

/// What is known before anything is asked.
fn row(name: &str, acknowledged: &Acknowledged, outbox: &Outbox) -> Outcome<(Row, Option<PortalDossier>)> {
    let record = as_told(outbox, name, &acknowledged.subject)?;
    let from_subject = acknowledged.subject.rsplit(' ').next().unwrap_or_default().to_owned();
    let dossier = record.as_ref().map_or(from_subject, |record| record.code.clone());
    let row = Row {
        recipient: name.to_owned(),
        unit: dossier.split('-').next().unwrap_or_default().to_owned(),
        dossier,
        delivery_id: acknowledged.id,
        acknowledged_at: vietnam_time(acknowledged.at),
        ours: record.as_ref().map_or(String::new(), |record| record.status.key().to_owned()),
        portal: None,
        standing: None,
        told: None,
        fault: None,
    };
    Ok((row, record))
}

/// Asks about one dossier; a question is harmless and is put three times.
async fn judge(client: &reqwest::Client, sink: &PortalSink, asked: (Row, Option<PortalDossier>)) -> Row {
    let (row, record) = asked;
    let Some(record) = record else {
        let fault = Fault::new(&crate::courier::PARCEL_UNREADABLE).report();
        return Row { fault: Some(fault), ..row };
    };
    let mut wait = Duration::from_millis(100);
    for attempt in 1.. {
        match portal::ask(client, sink, &record.code).await {
            Ok(found) => {
                let standing = Some(standing(&sink.adapter, &record, &found));
                let state = match found {
                    Found::There(there) => there.state,
                    Found::Nothing => None,
                };
                return Row { standing, portal: state, ..row };
            }
            Err(attempted) => match *attempted {
                Attempt::Again { .. } if attempt < 3 => {}
                Attempt::Again { reason: fault, .. } | Attempt::Never(fault) => {
                    return Row { fault: Some(fault.report()), ..row };
                }
                Attempt::Delivered(_) => return row,
            },
        }
        tokio::time::sleep(wait).await;
        wait *= 4;
    }
    row
}

/// Tells again what is missing, and renews links; one dossier after the other, and none about which something is on its way.
async fn tell(
    args: &Args,
    station: &Station,
    client: &reqwest::Client,
    sink: &PortalSink,
    outbox: &Outbox,
    told: &mut Told,
    rows: &mut [Row],
) -> Outcome<()> {
    let (blobs, busy) = (station.blobs()?, outbox.on_their_way(&sink.name)?);
    let receipts: BTreeMap<Sha256, Acknowledged> = outbox
        .acknowledged(&sink.name)?
        .into_iter()
        .map(|acknowledged| (acknowledged.id, acknowledged))
        .collect();
    for row in rows {
        let Some(acknowledged) = receipts.get(&row.delivery_id) else { continue };
        let (Some(standing), false) = (row.standing, busy.contains(&acknowledged.subject)) else { continue };
        let now = Clock::System.now_ms();
        let resend = args.resend && standing.lacks();
        let renew = args.renew
            && standing != Standing::Missing
            && told.links_are_due(outbox, &blobs, acknowledged, &sink.links, now / 1000)?;
        if !resend && !renew {
            continue;
        }
        // Looked at once more: what went on its way since this began must not be overtaken by an older state.
        if outbox.on_their_way(&sink.name)?.contains(&acknowledged.subject) {
            continue;
        }
        let Some(record) = as_told(outbox, &sink.name, &acknowledged.subject)? else { continue };
        if !resend && record.papers.is_empty() && record.results.is_empty() {
            continue;
        }
        // Where only papers lack, its progress stands there, and would stand there twice.
        let progress = resend && standing != Standing::Partial;
        match portal::tell_again(client, sink, &record, progress).await {
            Attempt::Delivered(ReceiptBytes(receipt)) => {
                let why = if resend { "resent" } else { "renewed" };
                told.keep(&row.dossier, why, &receipt, &blobs, now)?;
                row.told = Some(why.into());
            }
            Attempt::Again { reason: fault, .. } | Attempt::Never(fault) => row.fault = Some(fault.report()),
        }
    }
    Ok(())
}

/// How many stand how.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Total {
    recipient: String,
    acknowledged: usize,
    same: usize,
    missing: usize,
    older: usize,
    partial: usize,
    newer: usize,
    unsaid: usize,
    unasked: usize,
    resent: usize,
    renewed: usize,
}

impl Total {
    fn of<'a>(recipient: &str, rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut total = Total { recipient: recipient.into(), ..Total::default() };
        for row in rows {
            total.acknowledged += 1;
            *match row.standing {
                Some(Standing::Same) => &mut total.same,
                Some(Standing::Missing) => &mut total.missing,
                Some(Standing::Older) => &mut total.older,
                Some(Standing::Partial) => &mut total.partial,
                Some(Standing::Newer) => &mut total.newer,
                Some(Standing::Unsaid) => &mut total.unsaid,
                None => &mut total.unasked,
            } += 1;
            total.resent += usize::from(row.told.as_deref() == Some("resent"));
            total.renewed += usize::from(row.told.as_deref() == Some("renewed"));
        }
        total
    }
}

fn render(name: &str, rows: &[Row]) -> String {
    let mut units: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| units.entry(&row.unit).or_default().push(row));
    let mut table = Table::new(&[
        "đơn vị / unit",
        ">đã nhận / acknowledged",
        ">khớp / same",
        ">THIẾU / missing",
        ">cũ hơn / older",
        ">thiếu giấy tờ / partial",
        ">mới hơn / newer",
        ">chưa hỏi được / not asked",
    ]);
    for (unit, rows) in units {
        let t = Total::of(name, rows);
        let counts = [t.acknowledged, t.same + t.unsaid, t.missing, t.older, t.partial, t.newer, t.unasked];
        table.row(std::iter::once(unit.to_owned()).chain(counts.map(|n| n.to_string())).collect());
    }
    let mut out = format!("{name}\n{}", table.render());
    let amiss: Vec<&Row> =
        rows.iter().filter(|row| row.standing.is_none_or(Standing::lacks) || row.fault.is_some()).collect();
    if !amiss.is_empty() {
        let mut table = Table::new(&[
            "hồ sơ / dossier",
            "nơi nhận xác nhận lúc / acknowledged",
            "ở đây / here",
            "trên Cổng / portal",
            "",
        ]);
        for row in amiss {
            let note = match (&row.told, &row.fault, row.standing) {
                (Some(_), _, _) => "đã gửi lại / told again".to_owned(),
                (None, Some(fault), _) => format!("{} {}", fault.code, fault.vi),
                (None, None, Some(Standing::Missing)) => "THIẾU / missing".into(),
                (None, None, Some(Standing::Older)) => "cũ hơn / older".into(),
                (None, None, Some(Standing::Partial)) => "thiếu giấy tờ / partial".into(),
                (None, None, _) => String::new(),
            };
            let state = row.portal.clone().unwrap_or_else(|| "-".into());
            table.row(vec![row.dossier.clone(), row.acknowledged_at.clone(), row.ours.clone(), state, note]);
        }
        out.push('\n');
        out.push_str(&table.render());
    }
    out
}

/// After so many failures in a row the portal is left alone.
const MOST_FAILURES: usize = 10;

/// Not asked, since the portal did not answer for others.
pub const NOT_ASKED: Code = Code {
    id: "SEND-145",
    class: Class::Later,
    vi: "Chưa hỏi vì Cổng không trả lời",
    en: "not asked, since the portal does not answer",
    remedy_vi: "Chạy lại `hoso reconcile` sau; phần đã hỏi được giữ lại trong một ngày",
    remedy_en: "run `hoso reconcile` again later; what was asked is kept for a day",
};

/// Every code of this command.
pub const CODES: &[&Code] = &[&NOT_ASKED, &account::UNWRITABLE];
