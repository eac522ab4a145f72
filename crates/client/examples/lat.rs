use std::time::{Duration, Instant};
use callflume_client::*; use callflume_core::{event::*, lane::Lane, time::WallTime, account::AccountId};
use async_nats::jetstream::{self, message::PublishMessage};
fn ev(b:u32,t:u32,n:u32,a:&AccountId)->Event{ Draft{call_id:format!("c-{b}-{t}-{n}"),kind:"note_added".into(),at:WallTime(1),revision:Some("1".into()),contact:ContactRef{phone:Some("+441632960961".into()),..Default::default()},body:Body::from([("text".into(),"x".repeat(800).into())])}.into_event(a)}
#[tokio::main] async fn main(){
 let s=callflume_testkit::Server::start().await.unwrap();
 let c=async_nats::connect(s.url()).await.unwrap();
 let js=jetstream::context::ContextBuilder::new().timeout(Duration::from_millis(250)).build(c.clone());
 js.create_stream(jetstream::stream::Config{name:"VOICE_EN".into(),subjects:vec!["voice.v1.en.>".into()],duplicate_window:Duration::from_secs(1200),..Default::default()}).await.unwrap();
 let p=Publisher::connect(Settings::at([s.url()])).await.unwrap();
 let a:AccountId="acme".parse().unwrap();
 let mut all=[vec![],vec![]];
 for b in 0..12u32 { let ours=b%2==1;
  let start=Instant::now()+Duration::from_millis(50);
  let hs:Vec<_>=(0..200u32).map(|t|{let (p,js,a)=(p.clone(),js.clone(),a.clone());tokio::spawn(async move{
   let mut v=vec![]; for n in 0..25u32{ let at=start+Duration::from_millis(200*n as u64)+Duration::from_micros(1000*t as u64); tokio::time::sleep_until(at.into()).await;
    let e=ev(b,t,n,&a); let i=Instant::now();
    if ours { p.publish(&a,Lane::En,&e).await.unwrap(); } else { let bytes=encode(&e,ContentType::MessagePack).unwrap(); js.send_publish("voice.v1.en.acme.note_added",PublishMessage::build().payload(bytes.into()).message_id(e.id.as_str()).expected_stream("VOICE_EN")).await.unwrap().await.unwrap(); }
    v.push(i.elapsed().as_micros() as u64);} v})}).collect();
  let mut x=vec![]; for h in hs{x.extend(h.await.unwrap());} x.sort(); println!("{} p50 {} p99 {} p999 {}",if ours{"ours"}else{"bare"},x[x.len()/2],x[x.len()*99/100],x[x.len()*999/1000]); if b>1 {all[ours as usize].extend(x);} }
 for (n,v) in ["bare","ours"].iter().zip(&mut all){v.sort();println!("{n} n={} p50 {} p90 {} p99 {}",v.len(),v[v.len()/2],v[v.len()*9/10],v[v.len()*99/100]);}
}
