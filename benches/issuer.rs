//! Wallets a second: whole flows (token, nonce, proof, credential) over HTTP on loopback, every answer on disk before it is sent.
//! The wallets run in a process of their own on the same cores. `cargo bench --bench issuer [FLOWS] [AT_ONCE]`

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench ends at its first surprise")]

use hoso::blobs::Blobs;
use hoso::clock::Clock;
use hoso::deliver::credential::issuer::{CONFIGURATION, Issuer, Profile};
use hoso::deliver::credential::jose::{self, Jwk};
use hoso::deliver::credential::offer::{self, Wish};
use hoso::deliver::credential::register::Register;
use hoso::deliver::credential::status_list::{PLACES, StatusList};
use hoso::deliver::wire_key::SigningKey;
use hoso::serve::front::{self, Front};
use hoso::serve::issuer::store::Store;
use hoso::serve::issuer::{PublicUrl, router};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[tokio::main]
async fn main() {
    if let Ok(url) = std::env::var("WALLETS") {
        return wallets(url).await;
    }
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let (flows, at_once) = (numbers.next().unwrap_or(2_000), numbers.next().unwrap_or(64));
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&folder.path().join("issuer.db")).unwrap());
    let blobs = Arc::new(Blobs::open(&folder.path().join("blobs")).unwrap());
    let front = Front::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let at = PublicUrl::parse(&front.url()).unwrap();
    let profile =
        Profile { issuer: at.issuer(), office: "H40.17.5".into(), office_name: "UBND xã Mẫu".into() };
    let key = SigningKey::mint().unwrap();
    let secrets = store.secrets().await.unwrap();
    let issuer = Issuer::new(profile, key.clone(), &[], &secrets, Arc::clone(&store), Clock::System).unwrap();
    let serving = tokio::spawn(
        front.serve(front::dressed(router(issuer, Arc::clone(&blobs), &at)), std::future::pending()),
    );

    let digests = blobs.put(b"%PDF-1.7\n").unwrap();
    let now = jiff::Timestamp::now().as_second();
    let links = {
        let began = Instant::now();
        let making = (0..flows).map(|_| {
            let store = Arc::clone(&store);
            let fields = json!({ "ho_ten": "Đinh Văn Mẫu", "so": "12/KQ", "ngay": "2026-11-22" });
            let wish = Wish {
                digests,
                fields: fields.as_object().unwrap().clone(),
                pin: Some(zeroize::Zeroizing::new("482913".into())),
                holder: None,
                ready_at: 0,
                lasts: 3600,
                valid: None,
                document_lasts: 3600,
                supersedes: None,
            };
            tokio::spawn(async move {
                let made = offer::make(wish, now).unwrap();
                store.add(made.issuance).await.unwrap();
                made.link.to_string()
            })
        });
        let mut links = Vec::new();
        for made in making.collect::<Vec<_>>() {
            links.push(made.await.unwrap());
        }
        row("offers", flows, began.elapsed());
        links
    };

    let list = folder.path().join("links");
    std::fs::write(&list, links.join("\n")).unwrap();
    let (before, commits, began) = (cpu("self"), store.commits(), Instant::now());
    // The wallets are a process of their own, so that the issuer's share of the cores is known.
    let mut wallets = tokio::process::Command::new(std::env::current_exe().unwrap());
    wallets.env("WALLETS", at.issuer()).env("LINKS", &list).env("AT_ONCE", at_once.to_string());
    let told = wallets.output().await.unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let took = began.elapsed();
    row("flows", flows, took);
    println!("{:<28} {}", "one flow", String::from_utf8_lossy(&told.stdout).trim());
    let of_issuer = (cpu("self") - before) / flows as f64;
    println!("{:<28} {:.2} ms of the issuer's process", "CPU a flow", of_issuer * 1e3);
    let commits = store.commits() - commits;
    println!(
        "{:<28} {:.2} a flow ({commits} in all, each one fsync)",
        "commits",
        commits as f64 / flows as f64
    );
    floor(&key);
    serving.abort();

    for percent in [0u32, 1, 5] {
        let revoked = (0..PLACES).filter(|place| scattered(*place) % 100 < u64::from(percent));
        let began = Instant::now();
        let packed = StatusList::with_revoked(revoked).packed();
        let jwt = packed.jwt("https://a.example/status/0", now, jose::Object::new(), &key).unwrap();
        let cwt = packed.cwt("https://a.example/status/0", now, &jose::Object::new(), &key).unwrap();
        println!(
            "{:<28} {} bytes as JWT, {} as CWT, both made and signed in {:?}",
            format!("status list, {percent} % revoked"),
            jwt.len(),
            cwt.len(),
            began.elapsed()
        );
    }
}

/// The other process: as many wallets as there are to be at once, until no offer is left.
async fn wallets(url: String) {
    let links = std::fs::read_to_string(std::env::var("LINKS").unwrap()).unwrap();
    let links: Arc<Vec<String>> = Arc::new(links.lines().map(str::to_owned).collect());
    let at_once: usize = std::env::var("AT_ONCE").unwrap().parse().unwrap();
    let now = jiff::Timestamp::now().as_second();
    let next = Arc::new(AtomicUsize::new(0));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let wallets: Vec<_> = (0..at_once)
        .map(|_| {
            let (links, next, client, url) =
                (Arc::clone(&links), Arc::clone(&next), client.clone(), url.clone());
            tokio::spawn(async move {
                let key = SigningKey::mint().unwrap();
                let mut times = Vec::new();
                while let Some(link) = links.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let began = Instant::now();
                    flow(&client, &url, link, &key, now).await;
                    times.push(began.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for wallet in wallets {
        times.extend(wallet.await.unwrap());
    }
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    let own = cpu("self") / times.len() as f64 * 1e3;
    println!("p50 {:?}  p99 {:?}  ({at_once} wallets at once, {own:.2} ms of theirs)", at(50), at(99));
}

/// What no issuer can do without: one signature and one verification a flow.
fn floor(key: &SigningKey) {
    let jwk = Jwk::of_signer(key).unwrap();
    let object = |value: Value| value.as_object().unwrap().clone();
    let sign = || jose::sign(object(json!({ "typ": "x" })), &object(json!({ "a": 1 })), key).unwrap();
    let (began, count) = (cpu("self"), 5_000);
    let signed: Vec<String> = (0..count).map(|_| sign()).collect();
    let signing = cpu("self") - began;
    let began = cpu("self");
    for one in &signed {
        jose::Jws::read(one).unwrap().verify("x", &jwk).unwrap();
    }
    let [sign, verify] = [signing, cpu("self") - began].map(|took| took / f64::from(count) * 1e3);
    println!(
        "{:<28} {:.2} ms of CPU a flow: one ES256 signature {sign:.3}, one verification {verify:.3}",
        "floor",
        sign + verify
    );
}

/// As random places lie: anything more regular is packed smaller than a real list (SplitMix64).
fn scattered(place: u32) -> u64 {
    let mut z = u64::from(place).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Seconds of CPU that a process used, from Linux's own book.
fn cpu(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

async fn flow(client: &reqwest::Client, url: &str, link: &str, key: &SigningKey, now: i64) {
    let form = format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Apre-authorized_code&pre-authorized_code={}&tx_code=482913",
        offer::code_of(link).as_str()
    );
    let token =
        client.post(format!("{url}/token")).header("content-type", "application/x-www-form-urlencoded");
    let token = answer(token.body(form)).await["access_token"].as_str().unwrap().to_owned();
    let nonce = answer(client.post(format!("{url}/nonce"))).await["c_nonce"].clone();
    let object = |value: Value| value.as_object().unwrap().clone();
    let header = json!({ "typ": "openid4vci-proof+jwt", "jwk": Jwk::of_signer(key).unwrap() });
    let payload = json!({ "aud": url, "iat": now, "nonce": nonce });
    let proof = jose::sign(object(header), &object(payload), key).unwrap();
    let ask = json!({ "credential_configuration_id": CONFIGURATION, "proofs": { "jwt": [proof] } });
    let request = client
        .post(format!("{url}/credential"))
        .bearer_auth(token)
        .header("content-type", "application/json");
    assert!(answer(request.body(ask.to_string())).await["credentials"].is_array());
}

async fn answer(request: reqwest::RequestBuilder) -> Value {
    serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap()
}

fn row(what: &str, count: usize, took: Duration) {
    println!("{what:<28} {:.0} a second ({count} in {took:.1?})", count as f64 / took.as_secs_f64());
}
