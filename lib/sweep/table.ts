/** The table of a sweep, from its record alone. */
import type { EndedRun, SweepRecord } from './record.js';
import { digits, type Verdict, verdictOf } from './verdict.js';

/** What a value of an option is called: as it would be typed. */
export function valueText(value: unknown): string {
	if (typeof value === 'string' || typeof value === 'boolean') return String(value);
	if (typeof value === 'number') return Math.abs(value) < 1e-3 && value !== 0 ? value.toExponential() : String(value);
	return JSON.stringify(value);
}

/** Markdown that reads as plain text too: best first, then the stopped, then the failed, then what has to be said of them. */
export function sweepTable(record: SweepRecord): string {
	const verdict = verdictOf(record);
	const options = [...new Set(record.runs.flatMap((run) => Object.keys(run.options)))];
	const { name = 'metric' } = record.metric ?? {};
	const ranked = verdict?.ranking.map(({ run }) => run) ?? [];
	const rest = (status: EndedRun['status']) => record.runs.filter((run) => run.status === status);
	const withInterval = verdict?.ranking.some(({ interval }) => interval !== null) ?? false;
	const header = ['Run', ...options, name, ...(withInterval ? ['95% interval'] : []), ...(name === 'loss' ? [] : ['loss']), 'Steps', 'Time', 'Note'];
	const rows = [...ranked, ...rest('stopped'), ...rest('failed')].map((run) => {
		const standing = verdict?.ranking.find((each) => each.run === run);
		const interval = standing?.interval;
		return [
			String(run.number),
			...options.map((option) => valueText(run.options[option])),
			standing === undefined ? '-' : digits(standing.value),
			...(withInterval ? [interval ? interval.map(digits).join(' to ') : '-'] : []),
			...(name === 'loss' ? [] : [digits(run.metrics?.loss ?? Number.NaN)]),
			String(run.steps),
			duration(run.seconds),
			noteOf(run, verdict),
		];
	});
	const missing = record.planned - record.runs.length;
	const more = missing > 0 ? [`${missing} of ${record.planned} runs are still to come; the same command goes on with them.`] : [];
	return [markdown([header, ...rows]), ...(verdict?.notes.map(({ uncertain, text }) => (uncertain ? `Warning: ${text}` : text)) ?? []), ...more].join(
		'\n\n',
	);
}

function noteOf(run: EndedRun, verdict: Verdict | undefined): string {
	if (run.status === 'failed') return `failed: ${run.error?.code}`;
	if (run.stop !== undefined)
		return `stopped at epoch ${round(run.points.at(-1)?.epoch ?? 0)}: best ${digits(run.stop.best)}, median ${digits(run.stop.median)}`;
	if (run === verdict?.ranking[0]?.run) return 'best';
	const p = verdict?.ranking.find((standing) => standing.run === run)?.p ?? null;
	return p === null ? '' : `p = ${p < 0.001 ? '< 0.001' : p.toFixed(3)}`.replace('= <', '<');
}

function markdown(lines: readonly (readonly string[])[]): string {
	const cells = lines.map((line) => line.map((cell) => cell.replaceAll('|', '\\|')));
	const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0), 3));
	const drawn = cells.map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`);
	drawn.splice(1, 0, `|${widths.map((width) => `:${'-'.repeat(width)}-`).join('|')}|`);
	return drawn.join('\n');
}

const round = (value: number) => String(Number(value.toFixed(2)));

function duration(seconds: number): string {
	if (seconds < 60) return `${seconds.toFixed(1)} s`;
	return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
