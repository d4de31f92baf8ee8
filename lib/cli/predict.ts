/** distiltune predict */
import { Classifier } from '../classifier.js';
import { portions } from '../data/portions.js';
import { openWholeFile } from '../data/whole-file.js';
import { ConfigError, DataError } from '../errors.js';
import type { PredictionOf } from '../model/answer.js';
import type { ProblemType } from '../model/config.js';
import { faceOf, type Output } from './output.js';
import { type TextFlags, textsOf } from './texts.js';

export interface PredictFlags extends TextFlags {
	readonly output?: string;
	readonly strict?: boolean;
	readonly maxLength?: number;
	readonly threads?: number;
}

export async function predictVerb(folder: string, texts: readonly string[], flags: PredictFlags, output: Output): Promise<void> {
	const wanted = textsOf(texts, flags, `distiltune predict ${folder} "I feel fine"`);
	const classifier = await Classifier.load<ProblemType>(folder, flags.threads === undefined ? {} : { threads: flags.threads });
	const sink = flags.output === undefined ? undefined : await openOutput(flags.output);
	let failed = 0;
	try {
		for await (const part of portions(wanted)) {
			const good = part.filter((text) => typeof text === 'string');
			const predictions = (await classifier.predict(good, flags.maxLength === undefined ? {} : { maxLength: flags.maxLength })).values();
			for (const text of part) {
				if (text instanceof DataError) {
					if (flags.strict) throw text;
					failed += 1;
					const { code, message } = faceOf(text);
					await write({ error: { code, message } }, `error: ${message}`);
				} else {
					const prediction = predictions.next().value;
					await write(prediction, `${wordsOf(prediction)}\t${text.replace(/\s+/g, ' ').slice(0, 80)}`);
				}
			}
		}
		await sink?.commit();
	} finally {
		await sink?.discard();
		await classifier.dispose();
	}
	if (failed > 0) output.say(`warning: ${failed} of the rows could not be read; --strict ends at the first`);

	async function write(value: unknown, words: string): Promise<void> {
		if (sink === undefined) output.result(value, words);
		else await sink.write(`${JSON.stringify(value)}\n`);
	}
}

/** The label and its score; all labels with theirs; or the number. */
function wordsOf(prediction: PredictionOf[ProblemType] | undefined): string {
	if (prediction === undefined) return '';
	if ('value' in prediction) return String(Number(prediction.value.toPrecision(6)));
	if ('label' in prediction) return `${prediction.label}\t${prediction.score.toFixed(4)}`;
	return prediction.labels.map((label) => `${label} ${prediction.scores[label]?.toFixed(4)}`).join(', ') || '(none)';
}

const openOutput = (path: string) =>
	openWholeFile(
		path,
		(cause) =>
			new ConfigError('OUTPUT_NOT_WRITABLE', `Could not write ${path}: ${cause.message}`, { cause, hint: 'name another file with --output' }),
	);
