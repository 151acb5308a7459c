//! One call.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Certificate;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use webrtc::peer_connection::PeerConnection;

use crate::codec::Codec;
use crate::connection::{Connection, Stand};
use crate::ear::Ear;
use crate::error::CallerError;
use crate::faults::Faults;
use crate::heard::Heard;
use crate::invitation::Invitation;
use crate::keys::{NoSuchKey, Press};
use crate::network::Tasks;
use crate::voice::{Orders, Sound};
use crate::whip::{self, Session};

/// Keys that may wait to be pressed; more are not taken.
const KEYS: usize = 256;

/// How callers come in.
#[derive(Debug, Clone)]
pub struct CallerSettings {
    /// The address of this machine that calls come from, both their offers and their sound. Default: 127.0.0.1.
    pub from: IpAddr,
    /// The certificate by which hosts are trusted; `None` trusts those of the system.
    pub root: Option<Certificate>,
    /// Longest time until the connection has its keys. Default: 15 s.
    pub patience: Duration,
    /// What is offered. Default: Opus.
    pub codec: Codec,
    /// Whether each packet tells how loud it is (RFC 6464), as browsers do, so that a host knows who speaks without decoding. Default:
    /// yes, if the host takes it.
    pub levels: bool,
    /// What goes wrong on purpose. Default: nothing.
    pub faults: Faults,
}

impl Default for CallerSettings {
    fn default() -> Self {
        Self {
            from: Ipv4Addr::LOCALHOST.into(),
            root: None,
            patience: Duration::from_secs(15),
            codec: Codec::default(),
            levels: true,
            faults: Faults::default(),
        }
    }
}

/// A caller that has its offer ready.
pub(crate) struct Prepared {
    connection: Connection,
    offer: String,
    settings: CallerSettings,
}

impl Prepared {
    pub(crate) async fn new(settings: &CallerSettings) -> Result<Self, CallerError> {
        let mut connection = Connection::new(settings, rand::random()).await?;
        Ok(Self {
            offer: connection.offer().await?,
            connection,
            settings: settings.clone(),
        })
    }

    /// Posts the offer, and comes back when there are keys.
    pub(crate) async fn connect(self, invitation: &Invitation) -> Result<Caller, CallerError> {
        let patience = self.settings.patience;
        in_time(patience, self.try_connect(invitation)).await
    }

    async fn try_connect(self, invitation: &Invitation) -> Result<Caller, CallerError> {
        let Self {
            mut connection,
            offer,
            settings,
        } = self;
        let client = whip::client(&settings)?;
        let (session, answer) = Session::open(
            client,
            &invitation.with(&settings.faults),
            offer,
            settings.faults.repeats,
        )
        .await?;
        connection.accept(answer).await?;
        Ok(Caller::of(connection, session, settings.codec))
    }
}

async fn in_time<T>(patience: Duration, work: impl Future<Output = Result<T, CallerError>>) -> Result<T, CallerError> {
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| {
        Err(CallerError::Late {
            what: "the connection".to_owned(),
            waited: patience,
        })
    })
}

/// A call whose connection has its keys. It says silence until it is told otherwise; dropped, it vanishes without a word.
pub struct Caller {
    peer: Arc<dyn PeerConnection>,
    session: Session,
    stand: Arc<watch::Sender<Stand>>,
    ear: Arc<Ear>,
    sound: watch::Sender<Sound>,
    keys: mpsc::Sender<Press>,
    codec: Codec,
    _tasks: JoinSet<()>,
    _library: Tasks,
}

impl Caller {
    /// Posts an offer, and comes back when sound can flow in both directions.
    ///
    /// # Errors
    /// Whatever keeps it from that.
    pub async fn connect(invitation: &Invitation, settings: &CallerSettings) -> Result<Self, CallerError> {
        let connected = async { Prepared::new(settings).await?.connect(invitation).await };
        in_time(settings.patience, connected).await
    }

    fn of(connection: Connection, session: Session, codec: Codec) -> Self {
        let (sound, wanted) = watch::channel(Sound::default());
        let (keys, pressed) = mpsc::channel(KEYS);
        let (voice, stand) = (connection.voice(), Arc::clone(&connection.stand));
        let (peer, library, listening) = connection.split();
        let ear = Arc::new(Ear::new());
        let mut tasks = JoinSet::new();
        let orders = Orders {
            sound: wanted,
            keys: pressed,
        };
        spawn(&mut tasks, "voice", stand.subscribe(), voice.speak(orders));
        spawn(&mut tasks, "ear", stand.subscribe(), listening.listen(Arc::clone(&ear)));
        Self {
            peer,
            session,
            stand,
            ear,
            sound,
            keys,
            codec,
            _tasks: tasks,
            _library: library,
        }
    }

    /// Says this from now on.
    pub fn say(&self, sound: Sound) {
        self.sound.send_replace(sound);
    }

    /// Presses keys, one after the other: 100 ms each. Nobody is told of keys beyond the 256 that may wait.
    ///
    /// # Errors
    /// One of them is on no telephone: none is pressed.
    pub fn press(&self, keys: &str) -> Result<(), NoSuchKey> {
        let press = |key| Press::new(key, self.codec);
        let presses: Vec<_> = keys.chars().map(press).collect::<Result<_, _>>()?;
        for press in presses {
            if self.keys.try_send(press).is_err() {
                tracing::warn!("a key is not pressed: too many wait, or the connection has ended");
            }
        }
        Ok(())
    }

    /// Looks at what was heard.
    pub fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.ear.look())
    }

    /// Waits until what was heard is as wanted; `what` is for the error.
    ///
    /// # Errors
    /// It did not come within `patience`, or the connection ended before.
    pub async fn hears(
        &self,
        what: &str,
        patience: Duration,
        is_so: impl Fn(&Heard) -> bool,
    ) -> Result<(), CallerError> {
        let mut changes = self.ear.changes();
        let heard = async {
            while !self.heard(&is_so) {
                // The sender lives as long as this.
                let _ = changes.changed().await;
            }
        };
        tokio::select! {
            biased;
            () = heard => Ok(()),
            () = self.ended() => Err(CallerError::Ended { what: what.to_owned() }),
            () = tokio::time::sleep(patience) => Err(CallerError::Late { what: what.to_owned(), waited: patience }),
        }
    }

    /// Whether the connection has ended.
    pub fn has_ended(&self) -> bool {
        *self.stand.borrow() == Stand::Ended
    }

    /// Waits for the end of the connection: a host that is silent for some 6 s counts as lost.
    pub async fn ended(&self) {
        let mut stand = self.stand.subscribe();
        // The sender lives as long as this.
        let _ = stand.wait_for(|stand| *stand == Stand::Ended).await;
    }

    /// Hangs up by WHIP's `DELETE`, and closes the connection. Gives the status of the answer.
    ///
    /// # Errors
    /// The host is not reached; the connection is closed all the same.
    pub async fn hang_up(&self) -> Result<u16, CallerError> {
        let deleted = self.session.delete().await;
        self.close().await?;
        deleted
    }

    /// Closes the connection, which tells the host by DTLS alone.
    ///
    /// # Errors
    /// As the library says.
    pub async fn close(&self) -> Result<(), CallerError> {
        // The library tells the end of a connection that broke, but not of one that was closed.
        self.stand.send_replace(Stand::Ended);
        Ok(self.peer.close().await?)
    }
}

/// Runs something until the connection ends. Whatever in the library waits for a driver that is gone is dropped with it.
fn spawn(
    tasks: &mut JoinSet<()>,
    name: &'static str,
    mut stand: watch::Receiver<Stand>,
    work: impl Future<Output = Result<(), CallerError>> + Send + 'static,
) {
    tasks.spawn(async move {
        tokio::select! {
            result = work => {
                if let Err(error) = result {
                    tracing::debug!(name, %error, "a part of a caller has ended");
                }
            }
            _ = stand.wait_for(|stand| *stand == Stand::Ended) => {}
        }
    });
}
