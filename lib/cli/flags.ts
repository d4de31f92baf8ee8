/** Flags of `train`, made from the one table of options, and back again. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';

import { ConfigError } from '../errors.js';
import type { OptionSpec } from '../option-check.js';
import { fromConfigFile, optionTable, type TrainerConfig } from '../options.js';
import { flagOf } from '../report/command.js';

export const nameOf = (flag: string): string => flag.replace(/^-+/, '').replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** undefined: not on the command line. */
const VALUE: Readonly<Record<OptionSpec['kind'], string | undefined>> = {
	integer: ' <n>',
	number: ' <x>',
	boolean: '',
	text: ' <name>',
	choice: ' <word>',
	choiceOrInteger: ' <word|n>',
	list: ' <a,b,...>',
	data: ' <file>',
	dataOrSplit: ' <file>',
	weights: ' <label=x,...>',
	kwargs: ' <name=x,...>',
	stopping: ' <n>',
	callbacks: undefined,
	function: undefined,
};

/** Adds every option of a run; unknown flags are kept, so that all that is wrong can be said at once. */
export function addTrainingFlags(command: Command): Command {
	for (const [name, spec] of Object.entries<OptionSpec>(optionTable)) {
		const value = VALUE[spec.kind];
		if (value === undefined) continue;
		const choices = spec.choices === undefined ? '' : ` (${spec.choices.join(', ')})`;
		const fallback = spec.default === undefined || spec.default === false || typeof spec.default === 'object' ? '' : ` (default: ${spec.default})`;
		command.option(flagOf(name) + value, spec.help + choices + fallback);
		if (spec.kind === 'boolean' && spec.default === undefined)
			command.option(flagOf(name).replace('--', '--no-'), 'the opposite, also where that is the default');
	}
	return command
		.option('--eval-split <share>', 'share of --train to hold back and measure on')
		.option('--resume [checkpoint]', 'go on from the newest whole checkpoint in --output-dir, or from the one named')
		.option('--config <file>', 'JSON file of options; flags win over it')
		.allowUnknownOption()
		.allowExcessArguments();
}

/** What the flags, the words left over and the JSON file ask for; not yet checked. `remark` is for people. */
export async function trainingConfig(
	flags: Readonly<Record<string, unknown>>,
	leftOver: readonly string[],
): Promise<{ config: TrainerConfig; remark?: string }> {
	const { config: file, evalSplit, json: _json, quiet: _quiet, ...named } = flags;
	const { config: fromFile, remark } = typeof file === 'string' ? fromConfigFile(await readJson(file)) : { config: {} };
	const fromFlags = Object.fromEntries(
		Object.entries(named).map(([name, value]) => [name, typedValue((optionTable as Record<string, OptionSpec>)[name], value)]),
	);
	if (evalSplit !== undefined) {
		if (named.eval !== undefined) throw new ConfigError('OPTIONS_INVALID', 'Expected one of --eval and --eval-split, got both');
		fromFlags.eval = { split: asNumber(evalSplit) };
	}
	// Checked by resolveConfig, which takes anything under any name.
	const config = { ...fromFile, ...fromFlags, ...strangers(leftOver) } as unknown as TrainerConfig;
	return remark === undefined ? { config } : { config, remark };
}

/** What a word of the command line means for an option; what it cannot mean stays a word, for the message. */
export function typedValue(spec: OptionSpec | undefined, value: unknown): unknown {
	if (spec?.kind === 'integer' || spec?.kind === 'number' || spec?.kind === 'choiceOrInteger') return asNumber(value);
	if (spec?.kind === 'list' && typeof value === 'string') return value.split(',');
	if (spec?.kind === 'stopping' && typeof value === 'string') return /^\d+$/.test(value) ? { patience: Number(value) } : namedNumbers(value);
	if ((spec?.kind === 'weights' || spec?.kind === 'kwargs') && typeof value === 'string') return namedNumbers(value);
	return value;
}

/** 'a=1,b=2' by name, '1,2' in order, any other word as it is. */
function namedNumbers(words: string): unknown {
	const parts = words.split(',').map((part) => part.split('='));
	if (parts.every((part) => part.length === 2)) return Object.fromEntries(parts.map(([name, number]) => [name, asNumber(number)]));
	const numbers = words.split(',').map(asNumber);
	return numbers.every((number) => typeof number === 'number') ? numbers : words;
}

/** A number where the word is one; else the word, for the message. */
export function asNumber(value: unknown): unknown {
	if (typeof value !== 'string' || value.trim() === '') return value;
	const number = Number(value);
	return Number.isNaN(number) ? value : number;
}

/** Flags that are in no table, by the name they would have there. */
function strangers(leftOver: readonly string[]): Record<string, unknown> {
	const found: Record<string, unknown> = {};
	let flag: string | undefined;
	for (const word of leftOver) {
		if (word.startsWith('-')) {
			const [name = '', value = true] = word.split('=', 2);
			flag = nameOf(name);
			found[flag] = value;
		} else if (flag !== undefined) {
			flag = undefined;
		} else {
			throw new ConfigError('OPTIONS_INVALID', `Expected only options, got ${JSON.stringify(word)}`, { hint: 'name the rows with --train FILE' });
		}
	}
	return found;
}

async function readJson(file: string): Promise<Record<string, unknown>> {
	let value: unknown;
	try {
		value = JSON.parse((await readFile(file, 'utf8')).replace(/^\ufeff/, ''));
	} catch (cause) {
		throw new ConfigError('CONFIG_UNREADABLE', `Expected ${file} to be a JSON file of options: ${(cause as Error).message}`, { cause });
	}
	if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
	throw new ConfigError('CONFIG_UNREADABLE', `Expected ${file} to hold one JSON object of options`);
}
