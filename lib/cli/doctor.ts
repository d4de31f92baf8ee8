/** distiltune doctor: run: what a run says of itself. */
import { optionDefaults } from '../options.js';
import { diagnose } from '../report/diagnosis/diagnose.js';
import { readRun } from '../report/diagnosis/read.js';
import { diagnosisText, lookedAt } from '../report/diagnosis/text.js';
import type { Output } from './output.js';

/** Findings are no failure: what was asked for was to be told of them. */
export async function doctorRunVerb(folder: string, output: Output): Promise<void> {
	const { file, facts } = await readRun(folder);
	const findings = diagnose(facts, optionDefaults);
	output.result({ file, ...lookedAt(facts), findings }, diagnosisText(file, facts, findings));
}
