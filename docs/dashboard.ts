// The dashboard for Grafana, k8s/monitoring/grafana-dashboard.json, out of the table of its panels. `npm run fix` writes it; a
// test fails when the file holds something else.

import { PREFIX } from '../src/observe/metric-table.ts';
import { PANELS, type Panel } from './dashboard-panels.ts';

const SOURCE = { type: 'prometheus', uid: '$datasource' };
const HEIGHTS = { stat: 4, series: 8 };
const COLUMNS = 24;

export function dashboardText(): string {
  return `${JSON.stringify(dashboard(), undefined, 2)}\n`;
}

function dashboard(): object {
  return {
    title: 'tls-sidecar',
    uid: 'tls-sidecar',
    tags: ['tls-sidecar'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
        variable('namespace', 'Namespace', `label_values(${PREFIX}build_info, namespace)`),
        variable('pod', 'Pod', `label_values(${PREFIX}build_info{namespace=~"$namespace"}, pod)`),
      ],
    },
    panels: placed(),
  };
}

function variable(name: string, label: string, query: string): object {
  return {
    ...{ name, label, type: 'query', datasource: SOURCE, query, definition: query },
    ...{ refresh: 2, sort: 1, multi: true, includeAll: true, allValue: '.*' },
    current: { text: ['All'], value: ['$__all'] },
  };
}

function placed(): object[] {
  let [x, y] = [0, 0];
  return PANELS.map((panel, index) => {
    const h = HEIGHTS[panel.kind];
    const gridPos = { x, y, w: panel.width, h };
    x += panel.width;
    if (x >= COLUMNS) [x, y] = [0, y + h];
    return drawn(panel, index + 1, gridPos);
  });
}

function drawn({ title, help, kind, unit, queries }: Panel, id: number, gridPos: object): object {
  return {
    ...{ id, title, description: help, type: kind === 'stat' ? 'stat' : 'timeseries', datasource: SOURCE, gridPos },
    fieldConfig: { defaults: { unit, ...(kind === 'series' && { min: 0 }) }, overrides: [] },
    options:
      kind === 'stat'
        ? { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'none' }
        : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(({ expr, legend }, index) => ({
      ...{ refId: String.fromCharCode(65 + index), datasource: SOURCE, expr, legendFormat: legend || '__auto' },
    })),
  };
}
