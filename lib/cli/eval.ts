/** distiltune eval */
import { defaultSeparator } from '../data/labels.js';
import { Dataset } from '../dataset.js';
import { evaluationText } from '../report/evaluation-text.js';
import { type LoadFlags, loadClassifier } from './load.js';
import type { Output } from './output.js';

export interface EvalFlags extends LoadFlags {
	readonly data: string;
	readonly textColumn: string;
	readonly labelColumn: string;
	readonly labelSeparator?: string;
	readonly maxLength?: number;
}

export async function evalVerb(folder: string, flags: EvalFlags, output: Output): Promise<void> {
	const classifier = await loadClassifier(folder, flags);
	try {
		const { labels, problemType } = classifier;
		const several = problemType === 'multi_label_classification';
		const withSeparator = { ...flags, labelSeparator: several ? (flags.labelSeparator ?? defaultSeparator) : undefined };
		const options = flags.maxLength === undefined ? {} : { maxLength: flags.maxLength };
		const { metrics, rows, truncated } = await classifier.evaluate(Dataset.from(flags.data, withSeparator), options);
		if (truncated > 0) output.say(`warning: ${truncated} of ${rows} texts were cut to the longest row the model was asked to read`);
		output.result({ metrics, rows, labels }, evaluationText(metrics, labels, rows));
	} finally {
		await classifier.dispose();
	}
}
