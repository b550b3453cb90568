//! Ctrl-C and SIGTERM: the first asks for a clean end, the second ends at once (nothing acknowledged is lost by it).

use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first signal.
pub(super) fn stop_on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        signal().await;
        eprintln!("hoso: đang dừng an toàn, chờ bước đang chạy / stopping, waiting for the steps that run");
        stop.cancel();
        signal().await;
        std::process::exit(130);
    });
    token
}

/// Waits for Ctrl-C or SIGTERM.
pub(super) async fn signal() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}
