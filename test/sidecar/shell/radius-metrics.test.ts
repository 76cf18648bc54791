import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { RadiusMetrics } from '../../../sidecar/shell/radius-metrics.ts';

describe('metrics of RADIUS', () => {
  it('count what came of requests, from zero on, and how long answers took', async () => {
    const registry = new Registry();
    const metrics = new RadiusMetrics(registry);
    metrics.configured(['a:1812', 'b:1812']);
    metrics.answered('a:1812', 'accept', 20);
    metrics.unanswered('a:1812', 'silent');
    metrics.passedOver('a:1812', true);
    metrics.dropped('a:1812', 'not-authentic');
    metrics.lost(3);
    const text = await registry.metrics();
    for (const line of [
      'rekindle_radius_requests_total{server="a:1812",outcome="accept"} 1',
      'rekindle_radius_requests_total{server="a:1812",outcome="silent"} 1',
      'rekindle_radius_requests_total{server="a:1812",outcome="reject"} 0',
      'rekindle_radius_round_trip_seconds_bucket{le="0.025",server="a:1812"} 1',
      'rekindle_radius_dropped_responses_total{server="a:1812",reason="not-authentic"} 1',
      'rekindle_radius_server_passed_over{server="a:1812"} 1',
      'rekindle_radius_server_passed_over{server="b:1812"} 0',
      'rekindle_radius_accounting_lost_total 3',
    ])
      assert.ok(text.includes(line), line);
  });

  it('a server that leaves the configuration takes its series along, and what it still answers begins none', async () => {
    const registry = new Registry();
    const metrics = new RadiusMetrics(registry);
    metrics.configured(['a:1812', 'b:1812']);
    for (const server of ['a:1812', 'b:1812']) {
      metrics.answered(server, 'reject', 1);
      metrics.dropped(server, 'malformed');
    }
    metrics.configured(['b:1812']);
    metrics.answered('a:1812', 'accept', 1);
    metrics.unanswered('a:1812', 'silent');
    metrics.dropped('a:1812', 'unexpected');
    metrics.passedOver('a:1812', false);
    const text = await registry.metrics();
    assert.doesNotMatch(text, /a:1812/);
    assert.match(text, /server="b:1812",outcome="reject"} 1/);
  });
});
