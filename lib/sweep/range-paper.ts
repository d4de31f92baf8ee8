/** A range test on paper: its record, table and curve. */
import { join } from 'node:path';
import { writeFileWhole } from '../model/write-folder.js';
import { chart, type Mark } from '../report/chart/chart.js';
import { picture } from '../report/chart/svg.js';
import type { RangeTest } from './range-test.js';
import { valueText } from './table.js';

/** Writes `learning-rate.json` and `learning-rate.svg`; the folder has to be there. */
export async function writeRangeTest(folder: string, test: RangeTest): Promise<{ readonly json: string; readonly svg: string }> {
	const [json, svg] = [join(folder, 'learning-rate.json'), join(folder, 'learning-rate.svg')];
	await writeFileWhole(json, `${JSON.stringify(test, undefined, '\t')}\n`);
	await writeFileWhole(svg, rangeCurve(test));
	return { json, svg };
}

/** Two lines a factor of ten, then what follows from them. */
export function rangeTable(test: RangeTest): string {
	const every = Math.max(1, Math.round(test.points.length / 14));
	const lines = test.points
		.map(({ learningRate, loss }, index) => [learningRate.toExponential(1), loss.toFixed(4), (test.smoothed[index] ?? Number.NaN).toFixed(4)])
		.filter((_, index) => index % every === 0 || index === test.points.length - 1);
	const row = (cells: readonly string[]) => `| ${cells.map((cell) => cell.padEnd(13)).join(' | ')} |`;
	return [row(['Learning rate', 'Batch loss', 'Smoothed loss']), `|${':--------------|'.repeat(3)}`, ...lines.map(row), '', rangeWords(test)].join(
		'\n',
	);
}

/** The proposal, or why there is none. */
export function rangeWords({ proposal, tenth, lowest, startLoss, lowestLoss, diverged, points }: RangeTest): string {
	const end = points.at(-1)?.learningRate ?? 0;
	const ended =
		diverged === null ? `The loss had not diverged at ${end.toExponential(1)}, the last rate.` : `The loss diverged at ${diverged.toExponential(1)}.`;
	if (proposal === null || tenth === null) {
		return (
			`No proposal: the loss fell from ${startLoss.toFixed(4)} to ${lowestLoss.toFixed(4)} at best, too little to tell a fall from chance. ${ended} ` +
			'Look at the data first (distiltune data check), or take more steps (--max-steps) or larger batches.'
		);
	}
	return (
		`Proposal: --learning-rate ${valueText(proposal)}, where the loss falls fastest. Another rule of thumb, a tenth of the rate of the lowest loss ` +
		`(${lowestLoss.toFixed(4)} at ${lowest.toExponential(1)}), gives ${valueText(tenth)}. ${ended} A range test sees ${points.length} steps of one seed: sweep around it to be sure.`
	);
}

/** SVG: batches as dots, the smoothed loss as a line over the rate. */
export function rangeCurve({ points, smoothed, proposal, lowest, startLoss }: RangeTest): string {
	const rates = points.map(({ learningRate }) => learningRate);
	// What lies far above the start says only that the test is over.
	const top = 1.5 * Math.max(startLoss, ...smoothed.slice(0, Math.ceil(smoothed.length / 2)));
	const colour = '#b3261e';
	const marks: Mark[] = [
		...points.map(({ learningRate, loss }): Mark => ({ type: 'dot', at: [learningRate, loss], colour: '#c4ccd4', radius: 1.8 })),
		{ type: 'line', points: smoothed.map((loss, index): [number, number] => [rates[index] as number, loss]), colour: '#33506d', width: 2.5 },
		...(proposal === null
			? []
			: ([
					{ type: 'rule', x: lowest, colour: '#888', dashes: '3 3', text: `lowest ${lowest.toExponential(1)}` },
					{ type: 'rule', x: proposal, colour, text: valueText(proposal) },
				] satisfies Mark[])),
	];
	const title = proposal === null ? 'Learning-rate range test: no proposal' : `Learning-rate range test: ${valueText(proposal)}`;
	return picture(720, 420, title, [
		chart({
			title,
			frame: { left: 64, top: 60, width: 620, height: 300 },
			x: { kind: 'log', domain: [Math.min(...rates), Math.max(...rates)], label: 'learning rate' },
			y: { kind: 'linear', domain: [0, top], label: 'loss' },
			marks,
		}),
	]);
}
