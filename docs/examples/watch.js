// Watches a job, or all jobs, from a web page.
//
// `path` is "/v1/jobs/ID/events" or "/v1/jobs/events", `query` may have the other parameters, such as
// "after_sequence=0". `headers` are the credentials, such as {"X-API-Key": "qc_live_..."}. Each event
// is passed to `onEvent` with its id, after which a watch resumes.
//
// Returns the EventSource. It connects again by itself when the connection breaks, and closes after
// the last event of a job.
export async function watch(api, headers, path, query, onEvent) {
  const response = await fetch(`${api}/v1/auth/watch-tickets`, {
    method: "POST",
    headers: {...headers, "Content-Type": "application/json"},
    body: JSON.stringify({path}),
  });
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(answer.detail);
  }
  const source = new EventSource(`${api}${path}?ticket=${answer.ticket}&${query}`);
  source.onmessage = ({data, lastEventId}) => onEvent(JSON.parse(data), lastEventId);
  return source;
}
