/** distiltune predict */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';

import { Classifier } from '../classifier.js';
import { readTexts } from '../data/file.js';
import { ConfigError, DataError } from '../errors.js';
import { faceOf, type Output } from './output.js';

export interface PredictFlags {
	readonly input?: string;
	readonly output?: string;
	readonly strict?: boolean;
	readonly textColumn: string;
	readonly maxLength?: number;
	readonly threads?: number;
}

// Texts classified in one call.
const AT_ONCE = 256;

export async function predictVerb(folder: string, texts: readonly string[], flags: PredictFlags, output: Output): Promise<void> {
	if (texts.length > 0 === (flags.input !== undefined)) {
		throw new ConfigError('OPTIONS_INVALID', `Expected texts or --input, got ${texts.length > 0 ? 'both' : 'neither'}`, {
			hint: `distiltune predict ${folder} "I feel fine"`,
		});
	}
	const classifier = await Classifier.load(folder, flags.threads === undefined ? {} : { threads: flags.threads });
	const sink = flags.output === undefined ? undefined : await openSink(flags.output);
	let failed = 0;
	try {
		for await (const part of portions(textsOf(texts, flags), AT_ONCE)) {
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
					await write(prediction, `${prediction?.label}\t${prediction?.score.toFixed(4)}\t${text.replace(/\s+/g, ' ').slice(0, 80)}`);
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
		else await sink.line(JSON.stringify(value));
	}
}

/** Texts of the command line, else of --input, whose `-` is standard input. */
export function textsOf(
	texts: readonly string[],
	{ input, textColumn }: { readonly input?: string; readonly textColumn: string },
): AsyncIterable<string | DataError> | Iterable<string> {
	if (input === undefined) return texts;
	return readTexts(input, textColumn, input === '-' ? process.stdin : undefined);
}

async function* portions<T>(items: AsyncIterable<T> | Iterable<T>, size: number): AsyncGenerator<T[]> {
	let part: T[] = [];
	for await (const item of items) {
		part.push(item);
		if (part.length < size) continue;
		yield part;
		part = [];
	}
	if (part.length > 0) yield part;
}

/** A file that is there whole or not at all. */
async function openSink(path: string) {
	const temporary = `${path}.tmp-${process.pid}`;
	const stream = createWriteStream(temporary, { flags: 'wx' });
	await once(stream, 'open').catch((cause: Error) => {
		throw new ConfigError('OUTPUT_NOT_WRITABLE', `Could not write ${path}: ${cause.message}`, { cause });
	});
	return {
		async line(text: string): Promise<void> {
			if (!stream.write(`${text}\n`)) await once(stream, 'drain');
		},
		async commit(): Promise<void> {
			stream.end();
			await once(stream, 'finish');
			await rename(temporary, path);
		},
		async discard(): Promise<void> {
			stream.destroy();
			await rm(temporary, { force: true });
		},
	};
}
