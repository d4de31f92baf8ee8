/** distiltune eval */
import { Classifier } from '../classifier.js';
import { unknownLabel } from '../data/labels.js';
import type { DatasetRow } from '../data/row.js';
import { Dataset } from '../dataset.js';
import { Tally } from '../report/metrics.js';
import type { Output } from './output.js';
import { portions } from './texts.js';

export interface EvalFlags {
	readonly data: string;
	readonly textColumn: string;
	readonly labelColumn: string;
	readonly maxLength?: number;
	readonly threads?: number;
}

export async function evalVerb(folder: string, flags: EvalFlags, output: Output): Promise<void> {
	const classifier = await Classifier.load(folder, flags.threads === undefined ? {} : { threads: flags.threads });
	try {
		const { labels } = classifier;
		const classOf = new Map(labels.map((label, index) => [label, index]));
		const dataset = Dataset.from(flags.data, flags);
		const tally = new Tally(labels);
		let truncated = 0;
		for await (const rows of portions(known(dataset, labels))) {
			const predictions = await classifier.predict(
				rows.map(({ text }) => text),
				flags.maxLength === undefined ? {} : { maxLength: flags.maxLength },
			);
			for (const [index, { label, scores, truncated: cut }] of predictions.entries()) {
				const actual = rows[index]?.label ?? '';
				tally.add(classOf.get(actual) ?? 0, classOf.get(label) ?? 0, -Math.log(scores[actual] ?? 0));
				truncated += Number(cut);
			}
		}
		if (truncated > 0) output.say(`warning: ${truncated} of ${tally.rows} texts were cut to the longest row the model was asked to read`);
		const metrics = tally.metrics();
		const words = Object.entries(metrics).map(([name, value]) => `${name.padEnd(9)} ${value.toFixed(4)}`);
		output.result({ metrics, rows: tally.rows }, [...words, `rows      ${tally.rows}`].join('\n'));
	} finally {
		await classifier.dispose();
	}
}

/** The rows, up to one whose label the model does not know. */
async function* known(dataset: Dataset, labels: readonly string[]): AsyncGenerator<DatasetRow> {
	for await (const row of dataset) {
		if (!labels.includes(row.label)) throw unknownLabel(dataset, row, labels);
		yield row;
	}
}
