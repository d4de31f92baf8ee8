/** The picture of a sweep, from its record alone: the course of every run, and where each ended. */
import { chart, type Mark } from '../report/chart/chart.js';
import { picture } from '../report/chart/svg.js';
import type { EndedRun, SweepRecord } from './record.js';
import { valueText } from './table.js';
import { digits, verdictOf } from './verdict.js';

const accent = '#b3261e';
const plain = '#5b7a99';
const ended = '#b8b8b8';

const rowHeight = 22;
const longestName = 60;

/** SVG. Runs that failed are in the table only. */
export function sweepPicture(record: SweepRecord): string {
	const verdict = verdictOf(record);
	const name = record.metric?.name ?? 'metric';
	const ranking = verdict?.ranking ?? [];
	const stopped = record.runs.filter(({ status }) => status === 'stopped');
	const colourOf = (run: EndedRun) => (run === ranking[0]?.run ? accent : run.status === 'stopped' ? ended : plain);
	const namesOf = new Map([...ranking.map(({ run }) => run), ...stopped].map((run) => [run, nameOf(run)]));
	// About 6.2 pixels a letter of 12 pixels' size.
	const nameWidth = 16 + 6.2 * Math.max(12, ...[...namesOf.values()].map((text) => text.length));
	const height = Math.max(200, rowHeight * (namesOf.size + 1));

	// Drawn last is on top: the best.
	const drawn = [...stopped, ...ranking.map(({ run }) => run).reverse()];
	const values = drawn.flatMap(({ points }) => points.map(({ value }) => value)).filter(Number.isFinite);
	const curves = chart({
		title: `${name} while training`,
		frame: { left: 64, top: 56, width: 330, height },
		x: {
			kind: 'linear',
			domain: [0, Math.max(1, ...drawn.flatMap(({ points }) => points.map(({ epoch }) => epoch)))],
			label: 'passes over the rows',
		},
		y: { kind: 'linear', domain: widened(values), label: name },
		marks: drawn.flatMap((run): Mark[] => {
			const colour = colourOf(run);
			const points = run.points.filter(({ value }) => Number.isFinite(value)).map(({ epoch, value }): [number, number] => [epoch, value]);
			const last = points.at(-1);
			const end: Mark[] = last === undefined || run.status !== 'stopped' ? [] : [{ type: 'cross', at: last, colour }];
			return [
				{ type: 'line', points, colour, width: colour === accent ? 2.5 : 1.5 },
				...points.map((at): Mark => ({ type: 'dot', at, colour, radius: 2 })),
				...end,
			];
		}),
	});

	const spans = ranking.flatMap(({ value, interval }) => [value, ...(interval ?? [])]).filter(Number.isFinite);
	const left = 64 + 330 + 40 + nameWidth;
	const names = [...namesOf.keys()];
	const outcomes = chart({
		title: `${name} at the end${ranking[0]?.interval ? `, 95% interval on ${verdict?.rows} rows` : ''}`,
		frame: { left, top: 56, width: 330, height },
		x: { kind: 'linear', domain: widened(spans), label: name },
		y: {
			...{ kind: 'linear', domain: [0.5 - names.length, 0.5], label: '' },
			ticks: names.map((run, row) => ({ value: -row, text: namesOf.get(run) as string, colour: run === ranking[0]?.run ? accent : '#333' })),
		},
		marks: names.flatMap((run, row): Mark[] => {
			const standing = ranking.find((each) => each.run === run);
			const colour = colourOf(run);
			if (standing === undefined) {
				const middle = spans.length === 0 ? 0 : (Math.min(...spans) + Math.max(...spans)) / 2;
				return [{ type: 'text', at: [middle, -row], text: 'stopped early', anchor: 'middle', colour: '#888' }];
			}
			if (!Number.isFinite(standing.value)) return [];
			const { interval } = standing;
			return [
				...(interval === null ? [] : [{ type: 'line' as const, points: interval.map((end): [number, number] => [end, -row]), colour, width: 2 }]),
				{ type: 'dot', at: [standing.value, -row], colour, radius: 4.5 },
			];
		}),
	});
	const best = ranking[0];
	const title =
		best === undefined
			? 'A sweep without a finished run'
			: `Sweep of ${record.runs.length} runs; best: ${nameOf(best.run)}, ${name} ${digits(best.value)}`;
	return picture(left + 330 + 32, 56 + height + 48, title, [curves, outcomes]);
}

function nameOf(run: EndedRun): string {
	const options = Object.entries(run.options).map(([option, value]) => `${option} ${valueText(value)}`);
	const text = `${run.number}: ${options.join(', ')}`;
	return text.length <= longestName ? text : `${text.slice(0, longestName - 1)}…`;
}

/** Ends of the values with some air around them. */
function widened(values: readonly number[]): [number, number] {
	if (values.length === 0) return [0, 1];
	const [low, high] = [Math.min(...values), Math.max(...values)];
	const air = low === high ? Math.max(0.01, Math.abs(low) * 0.05) : 0.05 * (high - low);
	return [low - air, high + air];
}
